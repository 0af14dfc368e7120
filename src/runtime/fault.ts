import { EpmuxError, messageOf } from '../protocol/errors.ts';

/** What somebody else's code threw while it was called: a bug there. */
export function faultOf(what: string, cause: unknown): EpmuxError {
  const why = messageOf(cause);
  return new EpmuxError('INTERNAL', `${what} failed: ${why}`, { cause });
}

/**
 * Throws from a stack of its own: whoever called goes on, and the process hears of an uncaught
 * exception.
 */
export function throwAlone(error: EpmuxError): void {
  queueMicrotask(() => {
    throw error;
  });
}
