import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

describe('the tests', () => {
  it('leave nothing out that does not tell why in its title', () => {
    const folder = import.meta.dirname;
    const silent = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.test.ts') && join(folder, file) !== import.meta.filename)
      .filter((file) => {
        const text = readFileSync(join(folder, file), 'utf8');
        return text.includes('.skip(') && !text.includes('(left out: ');
      });
    assert.deepEqual(silent, []);
  });
});
