import { EpmuxError } from '../../protocol/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { BytePipe } from '../../runtime/pipe.ts';

export interface ReadLimits {
  readonly clock: Clock;
  readonly limitMs: number;
  readonly maxBytes: number;
  /** Who is listened to, for the error. */
  readonly what: string;
}

export interface Conversation extends ReadLimits {
  /** Said first. */
  readonly say?: Uint8Array;
  /** Nothing follows it. */
  readonly thenEnd?: boolean;
  /** True: what is there suffices. Without it everything until the end is read. */
  readonly enough?: (bytes: Buffer) => boolean;
}

/** What comes back, until it is enough or over; closes the pipe. Fails with TIMEOUT, PROTOCOL when it is too much, or what broke the pipe. */
export function readPipe(pipe: BytePipe, talk: Conversation): Promise<Buffer> {
  const { clock, limitMs, maxBytes, what, enough } = talk;
  return new Promise((resolve, reject) => {
    let bytes: Buffer = Buffer.alloc(0);
    let over = false;
    const settle = (settleWith: () => void): void => {
      if (over) return;
      over = true;
      cancel();
      pipe.close();
      settleWith();
    };
    const fail = (error: EpmuxError): void => settle(() => reject(error));
    const done = (): void => settle(() => resolve(bytes));
    const cancel = clock.wakeAt(clock.now() + limitMs, () =>
      fail(new EpmuxError('TIMEOUT', `${what} did not answer within ${limitMs / 1_000} s`)),
    );
    pipe.start({
      onBytes(chunk) {
        if (over) return;
        if (bytes.length + chunk.length > maxBytes) {
          fail(new EpmuxError('PROTOCOL', `${what} says more than ${maxBytes} bytes`));
          return;
        }
        bytes = Buffer.concat([bytes, chunk]);
        if (enough?.(bytes) === true) done();
      },
      onWritable() {},
      onEnd: done,
      onClosed: (error) => (error === undefined ? done() : fail(error)),
    });
    if (talk.say !== undefined) pipe.write(talk.say);
    if (talk.thenEnd === true) pipe.end();
  });
}
