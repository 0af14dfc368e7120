import type { Cancel, Clock } from '../../runtime/clock.ts';
import { SleepWatch } from '../../runtime/sleep-watch.ts';
import { deferred, sleep } from '../../runtime/wait.ts';
import type { Worker, WorkerEnd, WorkerFacts } from './worker.ts';

/** Looks in the time that a worker may be silent for. */
const LOOKS = 10;
/** Between questions that found nobody: it is starting, or its socket is gone. */
const ASK_AGAIN_MS = 250;
/**
 * A look that comes so much too late means that this process did not run; less where a worker may
 * be silent for little.
 */
const LATE_MS = 5_000;
const LATE_SHARE = 0.25;
/** For a worker that has never answered: it starts. */
const START_MS = 30_000;

export interface WatchOptions {
  readonly clock: Clock;
  /** A worker that is silent for longer hangs. */
  readonly hangMs: number;
  readonly onAlive: () => void;
  readonly onFacts: (facts: WorkerFacts) => void;
}

/** Asks one worker until it ends, and kills it when it hangs. */
export class Watch {
  /**
   * Resolves with how it ended; `hung` says for how long it was silent, in ms, when it had to be
   * killed for that.
   */
  readonly over: Promise<WorkerEnd & { readonly hungMs: number | undefined }>;
  readonly #worker: Worker;
  readonly #options: WatchOptions;
  readonly #sleep: SleepWatch;
  readonly #asking = new AbortController();
  #heardAt: number;
  #hungMs: number | undefined;
  #hasAnswered = false;
  #known: string | undefined;
  #cancelLook: Cancel;
  readonly #refused = deferred<WorkerEnd>();

  constructor(worker: Worker, known: string | undefined, options: WatchOptions) {
    this.#worker = worker;
    this.#known = known;
    this.#options = options;
    this.#sleep = new SleepWatch(options.clock);
    this.#heardAt = options.clock.now();
    this.#cancelLook = this.#armLook();
    this.over = Promise.race([worker.ended, this.#refused.promise]).then((end) => {
      this.#close();
      return { ...end, hungMs: this.#hungMs };
    });
    void this.#ask();
  }

  get hasAnswered(): boolean {
    return this.#hasAnswered;
  }

  #close(): void {
    this.#asking.abort();
    this.#cancelLook();
  }

  async #ask(): Promise<void> {
    const { clock, onAlive, onFacts } = this.#options;
    const { signal } = this.#asking;
    while (!signal.aborted) {
      try {
        const answer = await this.#worker.ask(this.#known, signal);
        if (signal.aborted) return;
        this.#heardAt = clock.now();
        this.#hasAnswered = true;
        if (answer === 'refused') {
          const reason = 'it is not supervised';
          this.#refused.resolve({ inOrder: true, reason, exitCode: undefined });
          return;
        }
        if (answer !== 'unknown') {
          this.#known = answer.digest;
          onFacts(answer);
        }
        onAlive();
        if (answer !== 'unknown') continue;
      } catch {
        // It is the look that decides when silence has lasted too long.
      }
      await sleep(clock, ASK_AGAIN_MS, signal).catch(() => undefined);
    }
  }

  #armLook(): Cancel {
    const { clock, hangMs } = this.#options;
    const at = clock.now() + hangMs / LOOKS;
    return clock.wakeAt(at, () => this.#look(clock.now() - at));
  }

  #look(lateMs: number): void {
    const { clock, hangMs } = this.#options;
    this.#cancelLook = this.#armLook();
    // The worker may not have run either, however long the silence was.
    const mostLateMs = Math.min(LATE_MS, hangMs * LATE_SHARE);
    if (this.#sleep.slept() || lateMs > mostLateMs) this.#heardAt = clock.now();
    const silentMs = clock.now() - this.#heardAt;
    const mostSilentMs = this.#hasAnswered ? hangMs : Math.max(hangMs, START_MS);
    if (silentMs <= mostSilentMs || this.#hungMs !== undefined) return;
    this.#hungMs = silentMs;
    this.#worker.kill('SIGKILL');
  }
}
