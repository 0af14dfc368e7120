import { EpmuxError } from '../protocol/errors.ts';
import type { Clock } from './clock.ts';

export interface AttemptLimits {
  /** What is attempted, for the error of an abort: `connecting to …`. */
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
  readonly clock: Clock;
  readonly limitMs: number;
  /** The error when the limit runs out. */
  late(): EpmuxError;
}

export interface Settle<T> {
  succeed(value: T): void;
  fail(error: EpmuxError): void;
}

/** Undoes a step that comes to nothing. */
export type Undo = (error: EpmuxError) => void;

/**
 * One step that has to come to an outcome. Success, failure, the limit and the abort race: the
 * first wins and the rest is ignored. What `begin` returns is called once on anything but success.
 */
export function attempt<T>(limits: AttemptLimits, begin: (settle: Settle<T>) => Undo | undefined) {
  const { signal, clock } = limits;
  return new Promise<T>((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(abortError(limits.what, signal));
      return;
    }
    let settled = false;
    let failure: EpmuxError | undefined;
    let undo: Undo | undefined;
    const settle = (): boolean => {
      if (settled) return false;
      settled = true;
      cancelLimit();
      signal?.removeEventListener('abort', onAbort);
      return true;
    };
    const fail = (error: EpmuxError): void => {
      if (!settle()) return;
      failure = error;
      undo?.(error);
      reject(error);
    };
    const onAbort = (): void => fail(abortError(limits.what, signal));
    const cancelLimit = clock.wakeAt(clock.now() + limits.limitMs, () => fail(limits.late()));
    signal?.addEventListener('abort', onAbort);
    const succeed = (value: T): void => {
      if (settle()) resolve(value);
    };
    try {
      undo = begin({ succeed, fail });
    } catch (error) {
      settle();
      throw error;
    }
    // A step that failed within `begin` has still to be undone.
    if (failure !== undefined) undo?.(failure);
  });
}

/**
 * What the work comes to, unless the abort is first: the work goes on then, and what comes of it is
 * nobody's.
 */
export function unlessAborted<T>(work: Promise<T>, what: string, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(abortError(what, signal));
    const settle =
      <V>(settleWith: (value: V) => void) =>
      (value: V): void => {
        signal.removeEventListener('abort', onAbort);
        settleWith(value);
      };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    work.then(settle(resolve), settle(reject));
  });
}

/** The reason of the abort where it is an error of ours, else INTERRUPTED. */
export function abortError(what: string, signal: AbortSignal | undefined): EpmuxError {
  const reason: unknown = signal?.reason;
  return reason instanceof EpmuxError
    ? reason
    : new EpmuxError('INTERRUPTED', `${what} was given up`, { cause: reason });
}
