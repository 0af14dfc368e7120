import { encodeFrame } from '../protocol/encode.ts';
import type { EndReason } from '../protocol/frames.ts';
import type { Clock } from './clock.ts';
import type { BytePipe } from './pipe.ts';

/** How long last words may take to leave. */
export const LINGER_MS = 1_000;

/**
 * Ends a pipe that has no owner: what it still brings is read and dropped, so that no reset
 * overtakes what was written last. Closed once the other end has closed too, or after a second.
 */
export function closeWhenSent(pipe: BytePipe, clock: Clock): void {
  const cancel = clock.wakeAt(clock.now() + LINGER_MS, () => pipe.close());
  pipe.end();
  pipe.start({
    onBytes() {},
    onWritable() {},
    onEnd: () => pipe.close(),
    onClosed: cancel,
  });
}

/** Answers an ATTACH on an opened pipe that nobody has started: says why not, and closes. */
export function refusePipe(pipe: BytePipe, reason: EndReason, clock: Clock): void {
  pipe.write(encodeFrame({ type: 'REFUSE', ...reason }));
  closeWhenSent(pipe, clock);
}
