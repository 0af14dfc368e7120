// Each read and each turn asks for the time: the global of this name is an accessor, which V8 does
// not inline.
import { performance } from 'node:perf_hooks';

/** Cancels what was scheduled; idempotent. */
export type Cancel = () => void;

export interface Clock {
  /**
   * Milliseconds on a monotonic clock with an arbitrary origin. It may or may not go on while the
   * machine sleeps.
   */
  now(): number;
  /** Milliseconds since the epoch: for people, and to notice a sleep. */
  wallNow(): number;
  /** Calls `fire` once, at `at` (on `now()`'s scale) or as soon after as the process runs. */
  wakeAt(at: number, fire: () => void): Cancel;
}

/** Node's longest timer; a later wake fires early, and whoever asked looks at the clock again. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  wakeAt(at, fire) {
    const delay = Math.min(MAX_TIMER_MS, Math.max(0, Math.ceil(at - performance.now())));
    const timer = setTimeout(fire, delay);
    return () => clearTimeout(timer);
  },
};
