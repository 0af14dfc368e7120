import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { acquireLock, type Lock, readLockHolder, startTimeByPs } from '../../src/daemon/lock.ts';
import { type DaemonPaths, daemonPaths, ensureFolders } from '../../src/daemon/paths.ts';
import { DaemonFixture } from '../support/daemon-fixture.ts';
import { leaveOut } from '../support/left-out.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { until } from '../support/until.ts';

const LONG_AGO = new Date(Date.now() - 60_000);

async function deadPid(): Promise<number> {
  const child = spawn('true');
  await once(child, 'exit');
  return child.pid ?? 0;
}

describe('the lock on a state folder', () => {
  const folder = tempFolder();
  let paths: DaemonPaths;
  beforeEach(() => {
    paths = daemonPaths({ EPMUX_HOME: folder.path });
    ensureFolders(paths);
  });

  const leaveBehind = (holder: object) => {
    writeFileSync(
      paths.lockFile,
      JSON.stringify({ controlSocket: paths.controlSocket, ...holder }),
    );
  };

  it('is had by one, who is named to the next', async () => {
    const lock = await acquireLock(paths);
    assert.equal(readLockHolder(paths.lockFile)?.pid, process.pid);
    await assert.rejects(acquireLock(paths), { code: 'DAEMON_BUSY', message: /pid \d+/ });
    assert.ok(lock.isOurs());
    lock.release();
    (await acquireLock(paths)).release();
  });

  it('leaves nothing behind when it is released, also twice', async () => {
    const lock = await acquireLock(paths);
    lock.release();
    lock.release();
    assert.deepEqual(readdirSync(paths.stateDir).sort(), ['run', 'secrets']);
  });

  it('is put back where its file was taken away, unless it was released or another has it', async () => {
    const lock = await acquireLock(paths);
    rmSync(paths.lockFile);
    lock.keep();
    assert.ok(lock.isOurs());
    await assert.rejects(acquireLock(paths), { code: 'DAEMON_BUSY' });
    rmSync(paths.lockFile);
    leaveBehind({ pid: 1, incarnation: 'another' });
    lock.keep();
    assert.equal(readLockHolder(paths.lockFile)?.pid, 1);
    lock.release();
    rmSync(paths.lockFile);
    lock.keep();
    assert.equal(existsSync(paths.lockFile), false);
  });

  it('is taken from a process that died', async () => {
    leaveBehind({ pid: await deadPid(), incarnation: '' });
    (await acquireLock(paths)).release();
  });

  it('is taken from a process that ended and whose parent has not asked how', async function () {
    if (!existsSync('/proc/self/stat')) leaveOut(this, 'there is no /proc');
    // The child ends when the third pipe does: after its parent has become a program that knows of
    // no child.
    const script = 'cat <&3 >/dev/null & echo $!; exec 3<&-; exec cat';
    const parent = spawn('sh', ['-c', script], { stdio: ['pipe', 'pipe', 'inherit', 'pipe'] });
    const gone = once(parent, 'exit');
    try {
      const [line] = await once(parent.stdout as Readable, 'data');
      const pid = Number(line);
      const comm = () => readFileSync(`/proc/${parent.pid}/comm`, 'utf8').trim();
      await until(() => comm() === 'cat');
      (parent.stdio[3] as Writable).end();
      const fields = () =>
        readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      await until(() => fields()[0] === 'Z');
      const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
      leaveBehind({ pid, incarnation: `${boot}/${fields()[19]}` });
      (await acquireLock(paths)).release();
    } finally {
      parent.kill('SIGKILL');
      await gone;
    }
  });

  it('is taken from a process that died and whose pid another has now', async function () {
    if (!existsSync('/proc/self/stat')) leaveOut(this, 'there is no /proc');
    leaveBehind({ pid: process.ppid, incarnation: 'another-boot/1' });
    (await acquireLock(paths)).release();
  });

  it('goes by the socket and the age of the file where start times are not known', async () => {
    leaveBehind({ pid: process.ppid, incarnation: '' });
    await assert.rejects(acquireLock(paths), { code: 'DAEMON_BUSY' });
    utimesSync(paths.lockFile, LONG_AGO, LONG_AGO);
    const server = createServer().listen(paths.controlSocket);
    await once(server, 'listening');
    await assert.rejects(acquireLock(paths), { code: 'DAEMON_BUSY' });
    server.close();
    await once(server, 'close');
    (await acquireLock(paths)).release();
  });

  it('knows when a process was started also without /proc, as on macOS', async function () {
    if (spawnSync('ps', ['-p', String(process.pid)]).status !== 0) leaveOut(this, 'there is no ps');
    assert.match(startTimeByPs(process.pid), /\d\d:\d\d:\d\d \d{4}$/);
    assert.equal(startTimeByPs(process.pid), startTimeByPs(process.pid));
    assert.equal(startTimeByPs(await deadPid()), '');
  });

  it('is taken when its file is garbage', async () => {
    for (const garbage of [
      '',
      'null',
      '{"pid":"x"}',
      '{"pid":-1,"incarnation":"","controlSocket":""}',
    ]) {
      writeFileSync(paths.lockFile, garbage);
      (await acquireLock(paths)).release();
    }
  });

  it('left by a dead one goes to exactly one of many who come at once', async () => {
    leaveBehind({ pid: await deadPid(), incarnation: '' });
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => acquireLock(paths)));
    const locks = outcomes
      .filter((outcome): outcome is PromiseFulfilledResult<Lock> => outcome.status === 'fulfilled')
      .map(({ value }) => value);
    assert.equal(locks.filter((lock) => lock.isOurs()).length, 1);
    assert.equal(locks.length, 1);
    for (const lock of locks) lock.release();
    assert.deepEqual(readdirSync(paths.stateDir).sort(), ['run', 'secrets']);
  });

  it('is not released by who does not hold it any more', async () => {
    const lock = await acquireLock(paths);
    leaveBehind({ pid: process.ppid, incarnation: '' });
    const others = readFileSync(paths.lockFile, 'utf8');
    lock.release();
    assert.equal(lock.isOurs(), false);
    assert.equal(readFileSync(paths.lockFile, 'utf8'), others);
  });
});

describe('a daemon whose lock was taken away', () => {
  const folder = tempFolder();

  it('keeps its files and its port, and another one ends before it writes anything', async () => {
    const first = new DaemonFixture(folder.path);
    const other = new DaemonFixture(folder.path);
    await first.start();
    const { stateFile, lockFile, stateDir } = first.paths;
    const hosts = join(stateDir, 'hosts');
    try {
      await until(() => existsSync(stateFile) && existsSync(hosts));
      const before = readFileSync(stateFile, 'utf8');
      writeFileSync(hosts, 'as it was');
      rmSync(lockFile);
      await assert.rejects(other.start(), { code: 'DAEMON_BUSY' });
      assert.equal(readFileSync(hosts, 'utf8'), 'as it was');
      assert.equal(readFileSync(stateFile, 'utf8'), before);
    } finally {
      await first.stop();
    }
  });
});
