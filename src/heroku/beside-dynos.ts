import type { Dyno } from './answers.ts';

/**
 * What `check` finds out about an app, and its dynos, asked for at the same time. Why the app can't
 * be reached says more than what became of its dynos meanwhile: that fails first, and the other
 * question is dropped.
 */
export async function besideDynos<T>(
  check: () => Promise<T>,
  askDynos: (signal: AbortSignal) => Promise<readonly Dyno[]>,
  signal: AbortSignal,
): Promise<[T, readonly Dyno[]]> {
  const needed = new AbortController();
  const dynos = askDynos(AbortSignal.any([signal, needed.signal]));
  dynos.catch(() => undefined);
  try {
    return [await check(), await dynos];
  } finally {
    needed.abort();
  }
}
