import type { Clock } from '../runtime/clock.ts';
import type { ControlMethods } from './control/api.ts';
import { type CrashStatus, lastCrash } from './crashes.ts';
import { livingHolder } from './lock.ts';
import { memoryDigest } from './memory.ts';
import type { DaemonPaths } from './paths.ts';

/**
 * A supervisor that knows everything hears again after so long, unless it says how long it can
 * wait.
 */
const QUIET_MS = 3_000;

export interface SupervisedOptions {
  readonly paths: DaemonPaths;
  readonly clock: Clock;
  /** How often the supervisor has started a worker again, this one included. */
  readonly restarts: number;
  /** A service's: whoever runs that brings its supervisor back. */
  readonly isService: boolean;
  /** What only this process holds, as `memoryText` gives it. */
  readonly memory: () => string;
}

/** The worker's side of its supervision (docs/supervisor.md). */
export class Supervised {
  readonly restarts: number;
  readonly #options: SupervisedOptions;
  readonly #waiting = new Set<() => void>();

  constructor(options: SupervisedOptions) {
    this.#options = options;
    this.restarts = options.restarts;
  }

  /** The pid of the supervisor of this state folder; null when none lives. */
  get supervisor(): number | null {
    return livingHolder(this.#options.paths.supervisorLockFile)?.pid ?? null;
  }

  /** As `supervisor`; undefined where it is not a command's to start one. */
  get supervisorToMend(): number | null | undefined {
    return this.supervisor ?? (this.#options.isService ? undefined : null);
  }

  get lastCrash(): CrashStatus | null {
    return lastCrash(this.#options.paths.crashesDir);
  }

  /**
   * At once when what is known is not what there is, else when that changes, or after a while: the
   * answer says that this process runs.
   */
  async answer(
    { known, waitMs = QUIET_MS }: ControlMethods['supervise'][0],
    signal: AbortSignal,
  ): Promise<ControlMethods['supervise'][1]> {
    const { memory: read } = this.#options;
    if (memoryDigest(read()) === known) await this.#quiet(waitMs, signal);
    const memory = read();
    const digest = memoryDigest(memory);
    return { digest, restarts: this.restarts, ...(digest === known ? {} : { memory }) };
  }

  /** What only this process holds may be something else now. */
  onChanged(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  #quiet(waitMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      const wake = () => {
        cancel();
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      const cancel = clock.wakeAt(clock.now() + waitMs, wake);
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake);
    });
  }
}
