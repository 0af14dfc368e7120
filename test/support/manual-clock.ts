import type { Cancel, Clock } from '../../src/runtime/clock.ts';

/**
 * Time that stands still until the test moves it; the wall clock may also go on alone, as while a
 * machine sleeps.
 */
export class ManualClock implements Clock {
  #now = 0;
  #asleepMs = 0;
  readonly #wakes = new Set<{ readonly at: number; readonly fire: () => void }>();

  now(): number {
    return this.#now;
  }

  wallNow(): number {
    return this.#now + this.#asleepMs;
  }

  wakeAt(at: number, fire: () => void): Cancel {
    const wake = { at, fire };
    this.#wakes.add(wake);
    return () => this.#wakes.delete(wake);
  }

  /** Timers that stand. */
  get waiting(): number {
    return this.#wakes.size;
  }

  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const next = [...this.#wakes].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#wakes.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.fire();
    }
    this.#now = end;
  }

  /**
   * Time goes on and nothing runs, as while this process is stopped: timers that are due fire with
   * the next `advance`.
   */
  jump(ms: number): void {
    this.#now += ms;
  }

  /** Only the wall clock goes on. */
  sleep(ms: number): void {
    this.#asleepMs += ms;
  }
}
