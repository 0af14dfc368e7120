import type { BytePipe } from './pipe.ts';

/**
 * Joins two pipes, neither started yet: bytes, ends, back-pressure and failures of each reach the other. When both directions have ended in order, each is
 * left to bring out what it still holds.
 */
export function splice(a: BytePipe, b: BytePipe): void {
  let ended = 0;
  const forward = (from: BytePipe, to: BytePipe): void => {
    from.start({
      copies: to.copies === true,
      // Of two sockets neither gets memory of its own to read into: there may be many.
      passes: from.copies === true && to.passes === true,
      onBytes(chunk) {
        if (!to.write(chunk)) from.pause();
      },
      onWritable: () => to.resume(),
      onEnd() {
        ended += 1;
        to.end();
      },
      onClosed(error) {
        if (error !== undefined || ended < 2) to.close(error);
      },
    });
  };
  forward(a, b);
  forward(b, a);
}
