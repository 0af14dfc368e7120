import type { Clock } from './clock.ts';

/** Steps of the wall clock against the monotonic one below this are corrections, not sleep. */
const SLEEP_MS = 5_000;

/**
 * Notices that the machine slept where the monotonic clock stands still meanwhile, so that the
 * session can't see it.
 */
export class SleepWatch {
  readonly #clock: Clock;
  #offsetMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#offsetMs = this.#offset();
  }

  /**
   * Whether the machine slept since the last call. A wall clock set forward looks the same, and
   * costs one PING.
   */
  slept(): boolean {
    const offset = this.#offset();
    const step = offset - this.#offsetMs;
    this.#offsetMs = offset;
    return step > SLEEP_MS;
  }

  #offset(): number {
    return this.#clock.wallNow() - this.#clock.now();
  }
}
