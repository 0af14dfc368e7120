import type { Cancel, Clock } from './clock.ts';

/** One timer for a deadline that moves with every byte. */
export class DeadlineTimer {
  readonly #clock: Clock;
  readonly #deadline: () => number;
  readonly #fire: () => void;
  #wake: { readonly at: number; readonly cancel: Cancel } | undefined;

  /** `fire` may come before the deadline, and must `arm` again. */
  constructor(clock: Clock, deadline: () => number, fire: () => void) {
    this.#clock = clock;
    this.#deadline = deadline;
    this.#fire = fire;
  }

  /**
   * A timer that stands too early is left alone: setting it anew for each byte would cost more than
   * one idle wake.
   */
  arm(): void {
    const at = this.#deadline();
    if (at === Number.POSITIVE_INFINITY || (this.#wake?.at ?? Number.POSITIVE_INFINITY) <= at)
      return;
    this.cancel();
    const cancel = this.#clock.wakeAt(at, () => {
      this.#wake = undefined;
      this.#fire();
    });
    this.#wake = { at, cancel };
  }

  cancel(): void {
    this.#wake?.cancel();
    this.#wake = undefined;
  }
}
