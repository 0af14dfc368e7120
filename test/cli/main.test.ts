import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { outcome } from '../support/cli.ts';
import { tempFolder } from '../support/temp-folder.ts';

const SRC = join(import.meta.dirname, '..', '..', 'src');

describe('epmux whose installation is broken', () => {
  const folder = tempFolder();

  it('says what is missing once and ends with 1', async () => {
    for (const part of ['cli', 'daemon', 'protocol']) {
      cpSync(join(SRC, part), join(folder.path, part), { recursive: true });
    }
    rmSync(join(folder.path, 'cli', 'run.ts'));
    const main = join(folder.path, 'cli', 'main.ts');
    const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), main, 'status']);

    const { code, stderr } = await outcome(child, 'epmux status');

    assert.equal(code, 1);
    assert.match(stderr, /^epmux: .*run\.ts.* \(INTERNAL\)\nhint: install epmux again/);
    assert.equal(stderr.trimEnd().split('\n').length, 2);
  });
});
