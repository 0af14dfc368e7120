import { unlessAborted } from './attempt.ts';
import type { Clock } from './clock.ts';

/** A promise that its owner settles; what comes after the first time is ignored. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

/** What `Promise.withResolvers` gives, which Node has from 22 on only. */
export function deferred<T = void>(): Deferred<T> {
  let resolve: Deferred<T>['resolve'] = () => undefined;
  let reject: Deferred<T>['reject'] = () => undefined;
  const promise = new Promise<T>((succeed, fail) => {
    resolve = succeed;
    reject = fail;
  });
  return { promise, resolve, reject };
}

/** Resolves after so long. Throws the abort's error, which says that `what` was given up. */
export async function sleep(
  clock: Clock,
  ms: number,
  signal?: AbortSignal,
  what = 'waiting',
): Promise<void> {
  const { promise, resolve } = deferred();
  const cancel = clock.wakeAt(clock.now() + ms, resolve);
  try {
    await (signal === undefined ? promise : unlessAborted(promise, what, signal));
  } finally {
    cancel();
  }
}

/**
 * What the work comes to; undefined when that takes longer: it goes on then, and what comes of it
 * is nobody's.
 */
export async function within<T>(
  clock: Clock,
  ms: number,
  work: Promise<T>,
): Promise<T | undefined> {
  const late = deferred<undefined>();
  const cancel = clock.wakeAt(clock.now() + ms, () => late.resolve(undefined));
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    cancel();
  }
}
