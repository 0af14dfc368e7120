import assert from 'node:assert/strict';
import { appendFile, rename, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LogReader } from '../../src/cli/logs/tail.ts';
import { CliHome } from '../support/cli.ts';

describe('a reader of the log', () => {
  let home: CliHome;
  let path: string;
  let reader: LogReader;
  beforeEach(async () => {
    home = await CliHome.make();
    path = join(home.folder, 'daemon.log');
    reader = new LogReader(path);
  });
  afterEach(async () => {
    await reader.close();
    await home.remove();
  });

  const lines = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, index) => `line ${from + index}\n`).join('');
  const text = async (bytes: Promise<Buffer | undefined>) => (await bytes)?.toString();

  it('begins with the last lines', async () => {
    await writeFile(path, lines(1, 10));
    assert.equal(await text(reader.tail(3)), lines(8, 10));
    assert.equal(await text(reader.more()), '');
  });

  it('gives all of a short file, and of one whose last line has no end', async () => {
    await writeFile(path, 'a\nb');
    assert.equal(await text(reader.tail(5)), 'a\nb');
  });

  it('gives the last line alone, or none', async () => {
    await writeFile(path, 'a\nb\n');
    assert.equal(await text(reader.tail(1)), 'b\n');
    await reader.close();
    assert.equal(await text(reader.tail(0)), '');
  });

  it('finds lines across the pieces that it reads', async () => {
    const long = `${'x'.repeat(100_000)}\n`;
    await writeFile(path, `first\n${long}${long}`);
    assert.equal(await text(reader.tail(2)), long + long);
  });

  it('reads no more of a huge file than its bound', async () => {
    await writeFile(path, 'y'.repeat(9 * 1_048_576));
    assert.equal((await reader.tail(1))?.length, 4 * 1_048_576);
  });

  it('goes on behind what it gave', async () => {
    await writeFile(path, lines(1, 2));
    await reader.tail(1);
    await appendFile(path, lines(3, 4));
    assert.equal(await text(reader.more()), lines(3, 4));
    assert.equal(await text(reader.more()), '');
  });

  it('follows a rotation and loses nothing of either file', async () => {
    await writeFile(path, lines(1, 1));
    await reader.tail(1);
    await appendFile(path, lines(2, 2));
    await rename(path, `${path}.1`);
    await writeFile(path, lines(3, 3));
    assert.equal(await text(reader.more()), lines(2, 2));
    assert.equal(await text(reader.more()), '');
    assert.equal(await text(reader.more()), lines(3, 3));
  });

  it('waits for a file that is not there yet', async () => {
    assert.equal(await reader.tail(1), undefined);
    assert.equal(await text(reader.more()), '');
    await writeFile(path, lines(1, 1));
    assert.equal(await text(reader.more()), lines(1, 1));
  });

  it('begins anew when the file was emptied', async () => {
    await writeFile(path, lines(1, 5));
    await reader.tail(1);
    await truncate(path, 0);
    await appendFile(path, 'x\n');
    assert.equal(await text(reader.more()), 'x\n');
  });
});
