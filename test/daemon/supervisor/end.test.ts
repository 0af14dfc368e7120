import assert from 'node:assert/strict';
import { IN_ORDER, KILLED, ScriptedWorker, SupervisorRig } from './support.ts';

describe('the end of a supervisor', () => {
  let rig: SupervisorRig;

  beforeEach(() => {
    rig = new SupervisorRig();
  });

  it('ends with a worker that ends in order', async () => {
    await rig.run();
    await rig.answer();
    await rig.end(IN_ORDER);
    assert.equal(rig.code, 0);
    assert.deepEqual(rig.deaths, []);
    assert.equal(rig.clock.waiting, 0);
  });

  it('ends with the code of a worker that can not start', async () => {
    await rig.run();
    await rig.end({ inOrder: false, reason: 'exit code 2', exitCode: 2 });
    assert.equal(rig.code, 2);
    assert.deepEqual(rig.deaths, []);
  });

  it('lets a worker be that is nobody’s to supervise', async () => {
    rig.found = new ScriptedWorker(7);
    await rig.run();
    await rig.answer('refused');
    assert.equal(rig.code, 0);
    assert.deepEqual(rig.workers[0]?.signals, []);
  });

  it('ends its worker in order when it is asked to', async () => {
    await rig.run();
    await rig.answer();
    rig.supervisor.stop();
    rig.supervisor.stop();
    assert.deepEqual(rig.worker.signals, ['SIGTERM']);
    await rig.end(IN_ORDER);
    assert.equal(rig.code, 0);
    assert.equal(rig.clock.waiting, 0);
  });

  it('kills a worker that does not end within ten seconds', async () => {
    await rig.run();
    await rig.answer();
    rig.supervisor.stop();
    await rig.pass(10_000);
    assert.deepEqual(rig.worker.signals, ['SIGTERM', 'SIGKILL']);
    await rig.end(KILLED);
    assert.equal(rig.code, 0);
    assert.deepEqual(rig.deaths, []);
  });

  it('ends where its program is gone when another worker is to be started', async () => {
    await rig.run();
    await rig.answer();
    rig.missing = '/opt/node/22.1.0/bin/node';
    await rig.end(KILLED);
    await rig.pass(600);
    assert.equal(rig.code, 1);
    assert.equal(rig.workers.length, 1);
    assert.equal(rig.clock.waiting, 0);
  });

  it('ends while it waits to start another', async () => {
    await rig.run();
    await rig.answer();
    await rig.end(KILLED);
    await rig.stop();
    assert.equal(rig.code, 0);
    assert.equal(rig.workers.length, 1);
    assert.equal(rig.clock.waiting, 0);
  });
});
