import type { EpmuxError } from '../protocol/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import { deferred, within } from '../runtime/wait.ts';

/** How long a lost link waits to hear whether its dyno is still the same one. */
const CONFIRM_MS = 1_500;

/**
 * What a link hears from Heroku before it connects again: what became of its dyno since it was
 * lost, or why nobody gets in.
 */
export class LookNews {
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  #lostAt = Number.NEGATIVE_INFINITY;
  /** When the last look that was answered began. */
  #toldAt = Number.NEGATIVE_INFINITY;
  #obstacle: EpmuxError | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What was told before now does not count for links that connect. */
  outdate(): void {
    this.#lostAt = this.#clock.now();
  }

  /** A look that began then was answered. */
  onTold(at: number): void {
    this.#toldAt = at;
  }

  /** One that began then has ended, whatever came of it. */
  onLooked(at: number): void {
    if (at >= this.#lostAt) for (const wake of this.#waiting) wake();
  }

  /**
   * Why there can be no link until a person helps; undefined: nothing is known to be in the way.
   */
  setObstacle(obstacle: EpmuxError | undefined): void {
    this.#obstacle = obstacle;
  }

  /**
   * Whether it is known what the dynos are now; waits for that, for a moment. Throws the obstacle.
   */
  async isTold(look: () => void): Promise<boolean> {
    if (this.#toldAt < this.#lostAt && this.#obstacle === undefined) {
      const heard = deferred();
      this.#waiting.add(heard.resolve);
      look();
      await within(this.#clock, CONFIRM_MS, heard.promise);
      this.#waiting.delete(heard.resolve);
    }
    if (this.#obstacle !== undefined) throw this.#obstacle;
    return this.#toldAt >= this.#lostAt;
  }
}
