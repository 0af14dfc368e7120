import { unlessAborted } from '../runtime/attempt.ts';
import type { Cancel, Clock } from '../runtime/clock.ts';
import { deferred } from '../runtime/wait.ts';

export interface TurnsOptions {
  readonly clock: Clock;
  /** Between two turns. */
  readonly everyMs: number;
  /** So many come at once after a pause. */
  readonly burst: number;
}

/**
 * Turns at a pace. The newest who waits is next: each waits within a limit of its own, and who has
 * waited longest has least of that left to do something with its turn. Who gives up leaves its
 * place to nobody, so that a crowd that comes again and again does not lengthen the wait.
 */
export class Turns {
  readonly #options: TurnsOptions;
  readonly #waiting: (() => void)[] = [];
  /** When the last turn was due. */
  #lastAt = Number.NEGATIVE_INFINITY;
  #cancel: Cancel | undefined;

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  /**
   * Resolves when it is one's turn. Throws the abort's error, which says that `what` was given up.
   */
  async take(what: string, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = deferred();
    this.#waiting.push(resolve);
    this.#serve();
    try {
      await unlessAborted(promise, what, signal);
    } finally {
      this.#leave(resolve);
    }
  }

  #serve(): void {
    const { clock, everyMs, burst } = this.#options;
    const now = clock.now();
    const nextAt = Math.max(now - everyMs * burst, this.#lastAt) + everyMs;
    if (nextAt <= now && this.#waiting.length > 0) {
      this.#lastAt = nextAt;
      this.#waiting.pop()?.();
    }
    if (this.#waiting.length === 0 || this.#cancel !== undefined) return;
    this.#cancel = clock.wakeAt(Math.max(nextAt, this.#lastAt + everyMs), () => {
      this.#cancel = undefined;
      this.#serve();
    });
  }

  #leave(waiter: () => void): void {
    const at = this.#waiting.indexOf(waiter);
    if (at >= 0) this.#waiting.splice(at, 1);
    if (this.#waiting.length > 0) return;
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
