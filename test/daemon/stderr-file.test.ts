import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cutStderr, MAX_STDERR_BYTES } from '../../src/daemon/stderr-file.ts';
import { tempFolder } from '../support/temp-folder.ts';

describe('what a process in the background wrote outside of its log', () => {
  const folder = tempFolder();

  it('is dropped above its bound, and not before', () => {
    const file = join(folder.path, 'stderr');
    for (const [bytes, left] of [
      [MAX_STDERR_BYTES, MAX_STDERR_BYTES],
      [MAX_STDERR_BYTES + 1, 0],
    ] as const) {
      writeFileSync(file, 'x'.repeat(bytes));
      cutStderr(file);
      assert.equal(readFileSync(file).length, left);
    }
    assert.doesNotThrow(() => cutStderr(join(folder.path, 'none')));
  });
});
