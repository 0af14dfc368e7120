import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { DaemonLog, logFileOptions } from '../../src/daemon/log.ts';
import type { LogFileOptions } from '../../src/daemon/log-file.ts';
import { Redactor } from '../../src/daemon/redact.ts';
import { DEFAULT_LIMITS } from '../support/default-limits.ts';
import { tempFolder } from '../support/temp-folder.ts';

describe("the daemon's log", () => {
  const folder = tempFolder();
  let file: string;
  beforeEach(() => {
    file = join(folder.path, 'daemon.log');
  });

  const open = (some: Partial<LogFileOptions> = {}) => {
    const fileOptions = { ...logFileOptions(DEFAULT_LIMITS), ...some };
    return new DaemonLog({ level: 'info', file, fileOptions });
  };
  /** Empty while the file is being rotated. */
  const written = () => {
    try {
      return readFileSync(file, 'utf8');
    } catch {
      return '';
    }
  };
  const lines = () => readFileSync(file, 'utf8').trimEnd().split('\n');

  it('has a line for each entry of its level and above', async () => {
    const log = open();
    log.info('a node is published', { node: 'app@dyno', port: 4000 });
    log.debug('not this');
    log.error('it failed', { reason: 'no "room"', nothing: undefined });
    await log.close();
    assert.equal(lines().length, 2);
    assert.match(lines()[0] ?? '', /^\d{4}-.*Z info: a node is published node=app@dyno port=4000$/);
    assert.match(lines()[1] ?? '', /error: it failed reason="no \\"room\\""$/);
    assert.equal(statSync(file).mode & 0o777, 0o600);
  });

  it('never holds a secret, by name or by value', async () => {
    const log = open();
    log.redactor.add('hunter2');
    log.info('connecting with hunter2', { cookie: 'MONSTER', why: 'hunter2 is wrong', port: 1 });
    log.info('via socks5://me:swordfish@proxy:1080');
    await log.close();
    assert.doesNotMatch(readFileSync(file, 'utf8'), /hunter2|MONSTER|swordfish/);
    assert.match(lines()[0] ?? '', /port=1/);
  });

  it('begins its file anew within 5 s where that was taken away', async () => {
    let now = 0;
    const log = open({ now: () => now });
    log.info('first');
    while (!written().includes('first')) await turn();
    rmSync(file);
    now = 5_000;
    log.info('second');
    await log.close();
    assert.deepEqual([lines().length, lines()[0]?.includes('second')], [1, true]);
  });

  async function writeTwelve(maxFiles: number): Promise<void> {
    const log = open({ maxBytes: 200, maxFiles });
    for (let entry = 0; entry < 12; entry += 1) {
      log.info(`entry ${entry} ${'.'.repeat(60)}`);
      while (!written().includes(`entry ${entry} `)) await turn();
    }
    await log.close();
  }

  for (const maxFiles of [1, 2, 3]) {
    it(`is rotated, and keeps no more files than it may: ${maxFiles}`, async () => {
      await writeTwelve(maxFiles);
      const names = [file, `${file}.1`, `${file}.2`, `${file}.3`];
      for (const name of names.slice(0, maxFiles)) assert.ok(statSync(name).size <= 200, name);
      for (const name of names.slice(maxFiles)) assert.equal(existsSync(name), false, name);
      assert.match(readFileSync(file, 'utf8'), /entry 11/);
    });
  }

  it('keeps its bound where it can not be moved, and says why lines are missing', async () => {
    mkdirSync(join(`${file}.1`, 'in-the-way'), { recursive: true });
    let problem: string | undefined;
    const log = open({ maxBytes: 200, maxFiles: 2 });
    for (let entry = 0; entry < 12; entry += 1) {
      log.info(`entry ${entry} ${'.'.repeat(60)}`);
      while (log.problem === undefined && !written().includes(`entry ${entry} `)) await turn();
      problem = log.problem;
    }
    await log.close();
    assert.ok(statSync(file).size <= 200);
    assert.match(problem ?? '', /daemon\.log/);
  });

  it('drops lines while the disk is full, without an error and without a wait', async () => {
    symlinkSync('/dev/full', file);
    const log = open();
    for (let entry = 0; entry < 1_000; entry += 1) log.info(`entry ${entry}`);
    while (log.problem === undefined) await turn();
    assert.match(log.problem, /ENOSPC/);
    await log.close();
  });

  it('goes on when the file can be written again, and says how much it lost', async () => {
    file = join(folder.path, 'later', 'daemon.log');
    let now = 0;
    const log = open({ now: () => now, retryMs: 1_000 });
    log.info('lost 1');
    while (log.problem === undefined) await turn();
    log.info('lost 2');
    mkdirSync(join(folder.path, 'later'));
    log.info('lost 3: it is not tried at every line');
    now = 1_000;
    log.info('kept');
    await log.close();
    assert.match(lines()[0] ?? '', /3 lines of this log were lost: .*ENOENT/);
    assert.match(lines()[1] ?? '', /kept/);
    assert.equal(log.problem, undefined);
  });

  it('holds no more than its bound for a disk that does not keep up', async () => {
    const log = open({ maxWaitingBytes: 1_000 });
    for (let entry = 0; entry < 100; entry += 1) log.info('x'.repeat(100));
    await turn();
    await log.close();
    const reopened = open();
    reopened.info('end');
    await reopened.close();
    assert.ok(statSync(file).size < 2_000);
  });

  it('may be written to after it is closed', async () => {
    const log = open();
    await log.close();
    log.error('too late');
  });
});

describe('a redactor', () => {
  it('leaves very short values alone', () => {
    const redactor = new Redactor();
    redactor.add('abc');
    redactor.add('abcd');
    redactor.add(undefined);
    assert.equal(redactor.text('abc abcd'), 'abc [redacted]');
  });
});
