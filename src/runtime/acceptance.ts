import type { EpmuxError } from '../protocol/errors.ts';

/** What the other end said to a stream that was opened. */
export type Acceptance = 'accepted' | EpmuxError;

/** Somebody waits for it. */
export interface Asked {
  readonly promise: Promise<void>;
  settle(acceptance: Acceptance): void;
}

export function ask(): Asked {
  let settle: Asked['settle'] = () => {};
  const promise = new Promise<void>((resolve, reject) => {
    settle = (acceptance) => (acceptance === 'accepted' ? resolve() : reject(acceptance));
  });
  // An owner who listens to `onClosed` alone misses nothing.
  promise.catch(() => {});
  return { promise, settle };
}
