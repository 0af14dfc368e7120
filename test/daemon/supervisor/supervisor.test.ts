import assert from 'node:assert/strict';
import { type Death, Supervisor } from '../../../src/daemon/supervisor/supervisor.ts';
import type { Worker, WorkerAnswer, WorkerEnd } from '../../../src/daemon/supervisor/worker.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const HANG_MS = 30_000;
const KILLED: WorkerEnd = { inOrder: false, reason: 'killed by SIGKILL', exitCode: undefined };
const IN_ORDER: WorkerEnd = { inOrder: true, reason: 'exit code 0', exitCode: 0 };

/** Lets what was resolved go its way. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A worker that answers when the test says so. */
class ScriptedWorker implements Worker {
  readonly pid: number;
  readonly startedAt = 0;
  readonly ended: Promise<WorkerEnd>;
  readonly signals: string[] = [];
  end: (end: WorkerEnd) => void = () => undefined;
  known: (string | undefined)[] = [];
  answer: (answer: WorkerAnswer) => void = () => undefined;

  constructor(pid: number) {
    this.pid = pid;
    this.ended = new Promise((resolve) => {
      this.end = resolve;
    });
  }

  ask(known: string | undefined): Promise<WorkerAnswer> {
    this.known.push(known);
    return new Promise((resolve) => {
      this.answer = resolve;
    });
  }

  kill(signal: string): void {
    this.signals.push(signal);
  }
}

describe('the supervisor', () => {
  let clock: ManualClock;
  let workers: ScriptedWorker[];
  let found: ScriptedWorker | undefined;
  let started: { readonly memory: string; readonly restarts: number }[];
  let deaths: Death[];
  let supervisor: Supervisor;
  let code: number | undefined;

  beforeEach(() => {
    clock = new ManualClock();
    workers = [];
    found = undefined;
    started = [];
    deaths = [];
    code = undefined;
    supervisor = new Supervisor({
      clock,
      logger: silentLogger,
      hangMs: HANG_MS,
      random: () => 0.5,
      onAlive: () => undefined,
      onMemory: () => undefined,
      onDeath: (death) => deaths.push(death),
      workers: {
        find: () => {
          const there = found;
          found = undefined;
          if (there !== undefined) workers.push(there);
          return there;
        },
        start: (memory, restarts) => {
          started.push({ memory, restarts });
          const worker = new ScriptedWorker(100 + workers.length);
          workers.push(worker);
          return worker;
        },
      },
    });
  });

  const worker = () => workers.at(-1) ?? assert.fail('no worker was started');
  const run = async () => {
    void supervisor.run().then((exit) => {
      code = exit;
    });
    await settle();
  };
  const answer = async (said: WorkerAnswer = { restarts: 0, digest: 'd' }) => {
    worker().answer(said);
    await settle();
  };
  const end = async (how: WorkerEnd) => {
    worker().end(how);
    await settle();
  };
  const pass = async (ms: number) => {
    clock.advance(ms);
    await settle();
  };

  it('starts a worker, and another when it is killed', async () => {
    await run();
    await answer();
    await end(KILLED);
    assert.equal(workers.length, 1);
    await pass(600);
    assert.deepEqual(
      started.map(({ restarts }) => restarts),
      [0, 1],
    );
    assert.deepEqual(
      deaths.map(({ pid, reason }) => [pid, reason]),
      [[100, 'killed by SIGKILL']],
    );
  });

  it('gives the next worker what only the last one held', async () => {
    await run();
    await answer({ restarts: 0, digest: 'd1', memory: 'first' });
    await answer({ restarts: 0, digest: 'd2', memory: 'second' });
    await answer({ restarts: 0, digest: 'd2' });
    assert.deepEqual(worker().known.slice(1), ['d1', 'd2', 'd2']);
    await end(KILLED);
    await pass(600);
    assert.equal(started[1]?.memory, 'second');
  });

  it('waits longer from crash to crash, up to half a minute, and anew after a minute up', async () => {
    await run();
    for (let crash = 0; crash < 12; crash += 1) {
      await answer();
      await end(KILLED);
      await pass(30_000);
      assert.equal(workers.length, crash + 2);
    }
    await answer();
    await end(KILLED);
    await pass(15_000);
    assert.equal(workers.length, 13);
    await pass(15_000);
    assert.equal(workers.length, 14);
    for (let at = 0; at < 60; at += 5) {
      await answer();
      await pass(5_000);
    }
    await end(KILLED);
    await pass(600);
    assert.equal(workers.length, 15);
  });

  it('kills a worker that is silent for half a minute, and says so in the report', async () => {
    await run();
    await answer();
    await pass(HANG_MS);
    assert.deepEqual(worker().signals, []);
    await pass(HANG_MS / 10);
    assert.deepEqual(worker().signals, ['SIGKILL']);
    await end(KILLED);
    assert.equal(deaths[0]?.reason, 'no answer for 33 s');
  });

  it('gives a worker another half minute after the machine slept', async () => {
    await run();
    await answer();
    await pass(25_000);
    clock.sleep(8 * 3_600_000);
    await pass(29_000);
    assert.deepEqual(worker().signals, []);
    await pass(10_000);
    assert.deepEqual(worker().signals, ['SIGKILL']);
  });

  it('gives a worker another half minute after it was stopped itself', async () => {
    await run();
    await answer();
    await pass(25_000);
    clock.jump(600_000);
    await pass(29_000);
    assert.deepEqual(worker().signals, []);
  });

  it('takes any answer for a sign of life', async () => {
    await run();
    for (let at = 0; at < 10; at += 1) {
      await answer('unknown');
      await pass(10_000);
    }
    assert.deepEqual(worker().signals, []);
  });

  it('ends with a worker that ends in order', async () => {
    await run();
    await answer();
    await end(IN_ORDER);
    assert.equal(code, 0);
    assert.deepEqual(deaths, []);
    assert.equal(clock.waiting, 0);
  });

  it('ends with the code of a worker that can not start', async () => {
    await run();
    await end({ inOrder: false, reason: 'exit code 2', exitCode: 2 });
    assert.equal(code, 2);
    assert.deepEqual(deaths, []);
  });

  it('tries again for ever when a worker ran before, without reports that would push others out', async () => {
    await run();
    await answer();
    await end(KILLED);
    for (let failure = 0; failure < 3; failure += 1) {
      await pass(30_000);
      await end({ inOrder: false, reason: 'exit code 1', exitCode: 1 });
    }
    assert.equal(code, undefined);
    assert.equal(deaths.length, 1);
  });

  it('adopts a worker that runs, and goes on counting', async () => {
    found = new ScriptedWorker(7);
    await run();
    assert.deepEqual(started, []);
    await answer({ restarts: 3, digest: 'd', memory: 'm' });
    await end({ inOrder: false, reason: 'it ended without a word', exitCode: undefined });
    await pass(600);
    assert.deepEqual(started, [{ memory: 'm', restarts: 4 }]);
  });

  it('lets a worker be that is nobody’s to supervise', async () => {
    found = new ScriptedWorker(7);
    await run();
    await answer('refused');
    assert.equal(code, 0);
    assert.deepEqual(workers[0]?.signals, []);
  });

  it('ends its worker in order when it is asked to', async () => {
    await run();
    await answer();
    supervisor.stop();
    supervisor.stop();
    assert.deepEqual(worker().signals, ['SIGTERM']);
    await end(IN_ORDER);
    assert.equal(code, 0);
    assert.equal(clock.waiting, 0);
  });

  it('kills a worker that does not end within ten seconds', async () => {
    await run();
    await answer();
    supervisor.stop();
    await pass(10_000);
    assert.deepEqual(worker().signals, ['SIGTERM', 'SIGKILL']);
    await end(KILLED);
    assert.equal(code, 0);
    assert.deepEqual(deaths, []);
  });

  it('ends while it waits to start another', async () => {
    await run();
    await answer();
    await end(KILLED);
    supervisor.stop();
    await settle();
    assert.equal(code, 0);
    assert.equal(workers.length, 1);
    assert.equal(clock.waiting, 0);
  });
});
