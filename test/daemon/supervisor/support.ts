import assert from 'node:assert/strict';
import { type Death, Supervisor } from '../../../src/daemon/supervisor/supervisor.ts';
import type { Worker, WorkerAnswer, WorkerEnd } from '../../../src/daemon/supervisor/worker.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { ManualClock } from '../../support/manual-clock.ts';

export const HANG_MS = 30_000;
export const KILLED: WorkerEnd = {
  inOrder: false,
  reason: 'killed by SIGKILL',
  exitCode: undefined,
};
export const IN_ORDER: WorkerEnd = { inOrder: true, reason: 'exit code 0', exitCode: 0 };

/** Lets what was resolved go its way. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A worker that answers when the test says so. */
export class ScriptedWorker implements Worker {
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

/** A supervisor on a clock that the test moves, and what it has done. */
export class SupervisorRig {
  readonly clock = new ManualClock();
  readonly workers: ScriptedWorker[] = [];
  readonly started: { readonly memory: string; readonly restarts: number }[] = [];
  readonly deaths: Death[] = [];
  readonly supervisor: Supervisor;
  /** The worker that runs already when the supervisor looks for one. */
  found: ScriptedWorker | undefined;
  /** Of the program that workers run. */
  missing: string | undefined;
  /** What `run` has come to. */
  code: number | undefined;

  constructor() {
    this.supervisor = new Supervisor({
      clock: this.clock,
      logger: silentLogger,
      hangMs: HANG_MS,
      random: () => 0.5,
      onAlive: () => undefined,
      onMemory: () => undefined,
      onDeath: (death) => this.deaths.push(death),
      workers: {
        find: () => this.#find(),
        missing: () => this.missing,
        start: (memory, restarts) => {
          this.started.push({ memory, restarts });
          return this.#add(new ScriptedWorker(100 + this.workers.length));
        },
      },
    });
  }

  /** The latest. */
  get worker(): ScriptedWorker {
    return this.workers.at(-1) ?? assert.fail('no worker was started');
  }

  async run(): Promise<void> {
    void this.supervisor.run().then((exit) => {
      this.code = exit;
    });
    await settle();
  }

  async stop(): Promise<void> {
    this.supervisor.stop();
    await settle();
  }

  async answer(said: WorkerAnswer = { restarts: 0, digest: 'd' }): Promise<void> {
    this.worker.answer(said);
    await settle();
  }

  async end(how: WorkerEnd): Promise<void> {
    this.worker.end(how);
    await settle();
  }

  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await settle();
  }

  #find(): ScriptedWorker | undefined {
    const { found } = this;
    this.found = undefined;
    return found && this.#add(found);
  }

  #add(worker: ScriptedWorker): ScriptedWorker {
    this.workers.push(worker);
    return worker;
  }
}
