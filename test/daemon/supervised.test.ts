import assert from 'node:assert/strict';
import { acquireLock } from '../../src/daemon/lock.ts';
import { type DaemonPaths, daemonPaths, ensureFolders } from '../../src/daemon/paths.ts';
import { Supervised } from '../../src/daemon/supervised.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { tempFolder } from '../support/temp-folder.ts';

describe("a daemon's answer to its supervisor", () => {
  const folder = tempFolder();
  let clock: ManualClock;
  let paths: DaemonPaths;
  let memory: string;
  beforeEach(() => {
    clock = new ManualClock();
    paths = daemonPaths({ EPMUX_HOME: folder.path });
    ensureFolders(paths);
    memory = 'first';
  });

  const supervised = (isService = false) =>
    new Supervised({ paths, clock, restarts: 2, isService, memory: () => memory });
  const signal = () => new AbortController().signal;

  it('comes at once with what is not known there, and after three seconds without', async () => {
    const daemon = supervised();
    const { digest, ...first } = await daemon.answer(undefined, signal());
    assert.deepEqual(first, { memory: 'first', restarts: 2 });
    const second = daemon.answer(digest, signal());
    clock.advance(2_999);
    assert.equal(clock.waiting, 1);
    clock.advance(1);
    assert.deepEqual(await second, { digest, restarts: 2 });
    assert.equal(clock.waiting, 0);
  });

  it('comes as soon as something else is to be known', async () => {
    const daemon = supervised();
    const { digest } = await daemon.answer(undefined, signal());
    const next = daemon.answer(digest, signal());
    memory = 'second';
    daemon.onChanged();
    assert.equal((await next).memory, 'second');
    assert.equal(clock.waiting, 0);
  });

  it('waits for nothing when the supervisor is gone', async () => {
    const daemon = supervised();
    const { digest } = await daemon.answer(undefined, signal());
    const gone = new AbortController();
    const answer = daemon.answer(digest, gone.signal);
    gone.abort();
    await answer;
    assert.equal(clock.waiting, 0);
  });

  it('is asked for by one supervisor at most, which any command may start unless it is a service', async () => {
    assert.deepEqual([supervised().supervisor, supervised().supervisorToMend], [null, null]);
    assert.equal(supervised(true).supervisorToMend, undefined);
    const lock = await acquireLock(paths, 'supervisor');
    assert.equal(supervised(true).supervisorToMend, process.pid);
    await assert.rejects(acquireLock(paths, 'supervisor'), { code: 'DAEMON_BUSY' });
    (await acquireLock(paths)).release();
    lock.release();
  });
});
