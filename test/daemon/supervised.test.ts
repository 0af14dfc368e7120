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

  it('comes at once with what is not known there, and else after three seconds, or as long as it may wait', async () => {
    const daemon = supervised();
    const { digest, ...first } = await daemon.answer({}, signal());
    assert.deepEqual(first, { memory: 'first', restarts: 2 });
    const second = daemon.answer({ known: digest }, signal());
    clock.advance(2_999);
    assert.equal(clock.waiting, 1);
    clock.advance(1);
    assert.deepEqual(await second, { digest, restarts: 2 });
    const third = daemon.answer({ known: digest, waitMs: 7_500 }, signal());
    clock.advance(7_499);
    assert.equal(clock.waiting, 1);
    clock.advance(1);
    await third;
    assert.equal(clock.waiting, 0);
  });

  it('comes as soon as something else is to be known', async () => {
    const daemon = supervised();
    const { digest } = await daemon.answer({}, signal());
    const next = daemon.answer({ known: digest }, signal());
    memory = 'second';
    daemon.onChanged();
    assert.equal((await next).memory, 'second');
    assert.equal(clock.waiting, 0);
  });

  it('waits for nothing when the supervisor is gone', async () => {
    const daemon = supervised();
    const { digest } = await daemon.answer({}, signal());
    const gone = new AbortController();
    const answer = daemon.answer({ known: digest }, gone.signal);
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
