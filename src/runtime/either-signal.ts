import { setMaxListeners } from 'node:events';

/**
 * Does the work with a signal that aborts with the first of two. Nothing of it is left with them:
 * of `AbortSignal.any` Node 20 keeps a record with each source for as long as that lives, which for
 * a carrier or a tunnel is days.
 */
export async function withEither<T>(
  first: AbortSignal,
  second: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const either = new AbortController();
  const stops = [first, second].map((source) => follow(source, either));
  try {
    return await work(either.signal);
  } finally {
    for (const stop of stops) stop();
  }
}

function follow(source: AbortSignal, follower: AbortController): () => void {
  const onAbort = (): void => follower.abort(source.reason);
  if (source.aborted) onAbort();
  // As many as there is work under way: no leak that Node should warn of.
  setMaxListeners(0, source);
  source.addEventListener('abort', onAbort);
  return () => source.removeEventListener('abort', onAbort);
}
