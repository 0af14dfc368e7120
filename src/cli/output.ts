import { once } from 'node:events';
import { fileError } from '../runtime/system-error.ts';

/**
 * Fails once a result can't be written, as to a full disk; never resolves. `onUnread`: nobody reads
 * results any more. Talk that nobody hears ends nothing: a tunnel may be on its way up.
 */
export function brokenOutput(onUnread: () => void): Promise<never> {
  process.stderr.on('error', () => undefined);
  return new Promise((_resolve, reject) => {
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') onUnread();
      else reject(fileError(error, 'stdout'));
    });
  });
}

/**
 * When all that was written so far has reached the system, or can't; a slow reader holds it up
 * until `unawaited` is aborted.
 */
export async function flushed(unawaited: AbortSignal): Promise<void> {
  const written = Promise.all([process.stdout, process.stderr].map(untilWritten));
  if (!unawaited.aborted) await Promise.race([written, once(unawaited, 'abort')]);
}

function untilWritten(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write('', () => resolve()));
}
