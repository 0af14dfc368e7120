import { abortError } from '../runtime/attempt.ts';
import type { Clock } from '../runtime/clock.ts';

/** `what`: what is waited for. Throws the abort's error. */
export function pause(ms: number, what: string, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      cancel();
      reject(abortError(`waiting for ${what}`, signal));
    };
    const cancel = clock.wakeAt(clock.now() + ms, () => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    });
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}
