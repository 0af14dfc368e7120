import type { EpmuxError } from '../protocol/errors.ts';
import { deferred } from './wait.ts';

/** What the other end said to a stream that was opened. */
export type Acceptance = 'accepted' | EpmuxError;

/** Somebody waits for it. */
export interface Asked {
  readonly promise: Promise<void>;
  settle(acceptance: Acceptance): void;
}

export function ask(): Asked {
  const { promise, resolve, reject } = deferred();
  // An owner who listens to `onClosed` alone misses nothing.
  promise.catch(() => {});
  const settle = (acceptance: Acceptance) =>
    acceptance === 'accepted' ? resolve() : reject(acceptance);
  return { promise, settle };
}
