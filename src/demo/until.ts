import { setTimeout as delay } from 'node:timers/promises';
import { EpmuxError } from '../protocol/errors.ts';

const POLL_MS = 10;

/** The first value that `look` gives. Fails as `look` does, with TIMEOUT, or with INTERRUPTED. */
export async function until<T>(
  what: string,
  limitMs: number,
  interrupted: AbortSignal,
  look: () => Promise<T | undefined>,
): Promise<T> {
  const limit = AbortSignal.timeout(limitMs);
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (interrupted.aborted) throw new EpmuxError('INTERRUPTED', 'interrupted');
    if (limit.aborted) throw new EpmuxError('TIMEOUT', `${what} took more than ${limitMs} ms`);
    await delay(POLL_MS);
  }
}
