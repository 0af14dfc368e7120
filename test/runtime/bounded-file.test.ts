import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readBounded, readBoundedSync } from '../../src/runtime/bounded-file.ts';
import { leaveOut } from '../support/left-out.ts';
import { tempFolder } from '../support/temp-folder.ts';

describe('a file that is read up to a bound', () => {
  const folder = tempFolder();
  const readers = {
    'at once': async (path: string, maxBytes: number) => readBoundedSync(path, maxBytes),
    meanwhile: readBounded,
  };

  it('is read once for all who ask meanwhile, and anew for who asks then', async () => {
    const path = join(folder.path, 'shared');
    writeFileSync(path, 'before');
    const [first, second] = [readBounded(path, 10), readBounded(path, 10)];
    assert.equal(first, second);
    assert.equal((await first).bytes.toString(), 'before');
    writeFileSync(path, 'after');
    assert.equal((await readBounded(path, 10)).bytes.toString(), 'after');
    for (let time = 0; time < 2; time += 1) {
      await assert.rejects(readBounded(join(folder.path, 'none'), 10), { code: 'ENOENT' });
    }
  });

  for (const [how, read] of Object.entries(readers)) {
    describe(how, () => {
      it('is given whole up to that, and its first bytes beyond', async () => {
        const path = join(folder.path, `text-${how}`);
        writeFileSync(path, '12345');
        for (const [maxBytes, text, isWhole] of [
          [6, '12345', true],
          [5, '12345', true],
          [4, '1234', false],
        ] as const) {
          const found = await read(path, maxBytes);
          assert.equal(found.bytes.toString(), text);
          assert.equal(found.isWhole, isWhole);
          assert.equal(found.stat.size, 5);
        }
      });

      it('may be empty', async () => {
        const path = join(folder.path, `empty-${how}`);
        writeFileSync(path, '');
        const { bytes, isWhole } = await read(path, 4);
        assert.equal(bytes.length, 0);
        assert.equal(isWhole, true);
      });

      it('fails as the system does', async () => {
        await assert.rejects(read(join(folder.path, 'none'), 4), { code: 'ENOENT' });
        await assert.rejects(read(folder.path, 4), { code: 'EISDIR' });
      });

      it('keeps nobody waiting where it is a pipe, and takes nothing from a device', async () => {
        const pipe = join(folder.path, `pipe-${how}`);
        execFileSync('mkfifo', [pipe]);
        for (const path of [pipe, '/dev/zero']) {
          const { bytes, isWhole, stat } = await read(path, 4);
          assert.equal(bytes.length, 0);
          assert.equal(isWhole, true);
          assert.equal(stat.isFile(), false);
        }
      });

      it('may be of /proc, where it has no size', async function () {
        if (!existsSync('/proc/self/environ')) leaveOut(this, 'there is no /proc here');
        const { bytes, isWhole, stat } = await read('/proc/self/environ', 16);
        assert.equal(stat.size, 0);
        assert.equal(bytes.length, 16);
        assert.equal(isWhole, false);
      });
    });
  }

  it('is waited for where a person named a pipe, up to its end', async () => {
    const pipe = join(folder.path, 'named');
    execFileSync('mkfifo', [pipe]);
    const writer = spawn('sh', ['-c', `(printf 123; sleep 0.1; printf 45) > '${pipe}'`]);
    const ended = once(writer, 'exit');
    const { bytes, isWhole } = readBoundedSync(pipe, 5, true);
    assert.equal(bytes.toString(), '12345');
    assert.equal(isWhole, true);
    await ended;
  });
});
