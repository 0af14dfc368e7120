import type { Clock } from '../runtime/clock.ts';

const CALM_MS = 15_000;
const ALERT_MS = 2_000;
const ALERT_FOR_MS = 60_000;
/** Between two looks whatever happens. */
const MIN_MS = 1_000;
/** After a look that failed: Heroku is to be spared. */
const FAILED_MS = 5_000;

/**
 * How often Heroku is asked what became of an app's dynos: every 15 s, every 2 s for a minute after
 * something happened, and never more than once a second.
 */
export class LookPace {
  readonly #clock: Clock;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #alertUntil = Number.NEGATIVE_INFINITY;
  #sparedUntil = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** When the last look began. */
  get lookedAt(): number {
    return this.#lookedAt;
  }

  /** A look begins. */
  onLook(): void {
    this.#lookedAt = this.#clock.now();
  }

  /** Something has happened, and more may. */
  onTrouble(): void {
    this.#alertUntil = this.#clock.now() + ALERT_FOR_MS;
  }

  /** Heroku wants no question for so long; `hurry` asks all the same. */
  spare(ms: number): void {
    this.#sparedUntil = this.#clock.now() + ms;
  }

  hurry(): void {
    this.#sparedUntil = Number.NEGATIVE_INFINITY;
  }

  /** From the last look to the next one. */
  get waitMs(): number {
    return this.#clock.now() < this.#alertUntil ? ALERT_MS : CALM_MS;
  }

  /** The same after one that failed. */
  get waitAfterFailureMs(): number {
    return Math.max(this.waitMs, FAILED_MS);
  }

  /** The first time from `at` on at which a look may begin. */
  from(at: number): number {
    return Math.max(at, this.#lookedAt + MIN_MS, this.#sparedUntil);
  }
}
