import { Backoff } from '../../runtime/backoff.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import { deferred, within } from '../../runtime/wait.ts';
import { memoryDigest } from '../memory.ts';
import { Watch } from './watch.ts';
import type { Worker, WorkerEnd, WorkerFacts, Workers } from './worker.ts';

/** A worker that was up for so long shows that the next one may be as well. */
const HELD_MS = 60_000;
/** For a worker to end in order; longer than the sum of its own bounds. */
const END_MS = 10_000;
const STRANDED = 1;

export interface Death {
  readonly pid: number;
  readonly reason: string;
  /** Milliseconds since the epoch, as `at`. */
  readonly startedAt: number | undefined;
  readonly at: number;
}

export interface SupervisorOptions {
  readonly workers: Workers;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly hangMs: number;
  /** A worker was lost that should have gone on. */
  readonly onDeath: (death: Death) => void;
  /** A worker has answered: it runs. */
  readonly onAlive: () => void;
  /** What only the worker holds has changed. Secrets: never to be logged. */
  readonly onMemory: (memory: string) => void;
  readonly random?: () => number;
}

/** Keeps one worker running (docs/supervisor.md). */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #backoff: Backoff;
  /** What only the worker holds. */
  #memory = '';
  #restarts = 0;
  #worker: Worker | undefined;
  /** A worker that was there already, until it answers. */
  #adopting: number | undefined;
  #stopping = false;
  #endWait: () => void = () => undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#backoff = new Backoff({ random: options.random ?? Math.random });
  }

  /** Resolves with an exit code when worker and supervisor are to end. */
  async run(): Promise<number> {
    let everAnswered = false;
    while (!this.#stopping) {
      if (everAnswered && this.#isStranded()) return STRANDED;
      const worker = this.#nextWorker();
      const { clock } = this.#options;
      const since = clock.now();
      const known = this.#memory === '' ? undefined : memoryDigest(this.#memory);
      const watch = new Watch(worker, known, {
        clock,
        hangMs: this.#options.hangMs,
        onAlive: () => this.#onAlive(),
        onFacts: (facts) => this.#onFacts(facts),
      });
      const end = await watch.over;
      this.#worker = undefined;
      everAnswered ||= watch.hasAnswered;
      if (this.#stopping || end.inOrder) return 0;
      if (!everAnswered && end.exitCode !== undefined) return end.exitCode;
      this.#onDeath(worker, end, watch.hasAnswered);
      if (clock.now() - since >= HELD_MS) this.#backoff.reset();
      await this.#wait(this.#backoff.nextMs());
      this.#restarts += 1;
    }
    return 0;
  }

  /**
   * Ends the worker in order, or by force when that takes too long; then `run` resolves.
   * Idempotent.
   */
  stop(): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#endWait();
    const worker = this.#worker;
    if (worker === undefined) return;
    const { clock, logger } = this.#options;
    worker.kill('SIGTERM');
    const cancel = clock.wakeAt(clock.now() + END_MS, () => {
      logger.warn('the daemon did not end in time and is killed', { pid: worker.pid });
      worker.kill('SIGKILL');
    });
    void worker.ended.then(cancel);
  }

  /** Its program is gone: to hold the lock for nothing would keep others from starting a daemon. */
  #isStranded(): boolean {
    const { workers, logger } = this.#options;
    const missing = workers.missing();
    if (missing === undefined) return false;
    logger.error('the supervisor ends, for its program is not there any more', { missing });
    return true;
  }

  #nextWorker(): Worker {
    const { workers, logger } = this.#options;
    const found = workers.find();
    const worker = found ?? workers.start(this.#memory, this.#restarts);
    this.#worker = worker;
    this.#adopting = found?.pid;
    if (found === undefined && this.#restarts > 0) {
      logger.info('the supervisor starts the daemon again', { restarts: this.#restarts });
    }
    return worker;
  }

  #onAlive(): void {
    const pid = this.#adopting;
    this.#adopting = undefined;
    this.#options.onAlive();
    if (pid !== undefined) this.#options.logger.info('the supervisor watches the daemon', { pid });
  }

  #onFacts({ restarts, memory }: WorkerFacts): void {
    this.#restarts = Math.max(this.#restarts, restarts);
    if (memory === undefined) return;
    this.#memory = memory;
    this.#options.onMemory(memory);
  }

  #onDeath(
    worker: Worker,
    end: WorkerEnd & { readonly hungMs: number | undefined },
    hadAnswered: boolean,
  ): void {
    const { clock, logger, onDeath } = this.#options;
    const { pid, startedAt } = worker;
    const silentS = end.hungMs === undefined ? undefined : Math.round(end.hungMs / 1_000);
    const reason = silentS === undefined ? end.reason : `no answer for ${silentS} s`;
    logger.error('the daemon was lost', { pid, reason });
    // One that could not start has said why in the log, and would push better reports out.
    const couldNotStart = !hadAnswered && end.exitCode !== undefined;
    if (!couldNotStart) onDeath({ pid, reason, startedAt, at: clock.wallNow() });
  }

  /** Ends early on `stop`. */
  async #wait(ms: number): Promise<void> {
    const stopped = deferred();
    this.#endWait = stopped.resolve;
    await within(this.#options.clock, ms, stopped.promise);
  }
}
