import assert from 'node:assert/strict';
import { HANG_MS, KILLED, ScriptedWorker, SupervisorRig } from './support.ts';

describe('the supervisor', () => {
  let rig: SupervisorRig;

  beforeEach(() => {
    rig = new SupervisorRig();
  });

  it('starts a worker, and another when it is killed', async () => {
    await rig.run();
    await rig.answer();
    await rig.end(KILLED);
    assert.equal(rig.workers.length, 1);
    await rig.pass(600);
    assert.deepEqual(
      rig.started.map(({ restarts }) => restarts),
      [0, 1],
    );
    assert.deepEqual(
      rig.deaths.map(({ pid, reason }) => [pid, reason]),
      [[100, 'killed by SIGKILL']],
    );
  });

  it('gives the next worker what only the last one held', async () => {
    await rig.run();
    await rig.answer({ restarts: 0, digest: 'd1', memory: 'first' });
    await rig.answer({ restarts: 0, digest: 'd2', memory: 'second' });
    await rig.answer({ restarts: 0, digest: 'd2' });
    assert.deepEqual(rig.worker.known.slice(1), ['d1', 'd2', 'd2']);
    await rig.end(KILLED);
    await rig.pass(600);
    assert.equal(rig.started[1]?.memory, 'second');
  });

  it('waits longer from crash to crash, up to half a minute, and anew after a minute up', async () => {
    await rig.run();
    for (let crash = 0; crash < 12; crash += 1) {
      await rig.answer();
      await rig.end(KILLED);
      await rig.pass(30_000);
      assert.equal(rig.workers.length, crash + 2);
    }
    await rig.answer();
    await rig.end(KILLED);
    await rig.pass(15_000);
    assert.equal(rig.workers.length, 13);
    await rig.pass(15_000);
    assert.equal(rig.workers.length, 14);
    for (let at = 0; at < 60; at += 5) {
      await rig.answer();
      await rig.pass(5_000);
    }
    await rig.end(KILLED);
    await rig.pass(600);
    assert.equal(rig.workers.length, 15);
  });

  it('kills a worker that is silent for half a minute, and says so in the report', async () => {
    await rig.run();
    await rig.answer();
    await rig.pass(HANG_MS);
    assert.deepEqual(rig.worker.signals, []);
    await rig.pass(HANG_MS / 10);
    assert.deepEqual(rig.worker.signals, ['SIGKILL']);
    await rig.end(KILLED);
    assert.equal(rig.deaths[0]?.reason, 'no answer for 33 s');
  });

  it('gives a worker another half minute after the machine slept', async () => {
    await rig.run();
    await rig.answer();
    await rig.pass(25_000);
    rig.clock.sleep(8 * 3_600_000);
    await rig.pass(29_000);
    assert.deepEqual(rig.worker.signals, []);
    await rig.pass(10_000);
    assert.deepEqual(rig.worker.signals, ['SIGKILL']);
  });

  it('gives a worker another half minute after it was stopped itself', async () => {
    await rig.run();
    await rig.answer();
    await rig.pass(25_000);
    rig.clock.jump(600_000);
    await rig.pass(29_000);
    assert.deepEqual(rig.worker.signals, []);
  });

  it('takes any answer for a sign of life', async () => {
    await rig.run();
    for (let at = 0; at < 10; at += 1) {
      await rig.answer('unknown');
      await rig.pass(10_000);
    }
    assert.deepEqual(rig.worker.signals, []);
  });

  it('tries again for ever when a worker ran before, without reports that would push others out', async () => {
    await rig.run();
    await rig.answer();
    await rig.end(KILLED);
    for (let failure = 0; failure < 3; failure += 1) {
      await rig.pass(30_000);
      await rig.end({ inOrder: false, reason: 'exit code 1', exitCode: 1 });
    }
    assert.equal(rig.code, undefined);
    assert.equal(rig.deaths.length, 1);
  });

  it('adopts a worker that runs, and goes on counting', async () => {
    rig.found = new ScriptedWorker(7);
    await rig.run();
    assert.deepEqual(rig.started, []);
    await rig.answer({ restarts: 3, digest: 'd', memory: 'm' });
    await rig.end({ inOrder: false, reason: 'it ended without a word', exitCode: undefined });
    await rig.pass(600);
    assert.deepEqual(rig.started, [{ memory: 'm', restarts: 4 }]);
  });
});
