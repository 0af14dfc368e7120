import { EpmuxError } from '../../protocol/errors.ts';
import { attempt } from '../../runtime/attempt.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { BytePipe } from '../../runtime/pipe.ts';

export interface Conversation {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly limitMs: number;
  readonly maxBytes: number;
  /** Who is listened to, for the error. */
  readonly what: string;
  /** Said first. */
  readonly say?: Uint8Array;
  /** Nothing follows it. */
  readonly thenEnd?: boolean;
  /**
   * True: what is there suffices. Without it everything until the end is read. What it throws ends
   * the conversation.
   */
  readonly enough?: (bytes: Buffer) => boolean;
}

/**
 * What comes back, until it is enough or over; closes the pipe. Fails with TIMEOUT, PROTOCOL when
 * it is too much, what `enough` throws, the abort's error, or what broke the pipe.
 */
export async function readPipe(pipe: BytePipe, talk: Conversation): Promise<Buffer> {
  const { clock, signal, limitMs, what } = talk;
  const late = () =>
    new EpmuxError('TIMEOUT', `${what} did not answer within ${limitMs / 1_000} s`);
  const limits = { what: `listening to ${what}`, clock, signal, limitMs, late };
  try {
    return await attempt<Buffer>(limits, ({ succeed, fail }) => {
      let bytes = Buffer.alloc(0);
      const done = () => succeed(bytes);
      pipe.start({
        onBytes(chunk) {
          try {
            bytes = appended(bytes, chunk, talk);
            if (talk.enough?.(bytes) === true) done();
          } catch (error) {
            fail(EpmuxError.from(error, 'INTERNAL', `reading what ${what} says`));
          }
        },
        onWritable() {},
        onEnd: done,
        onClosed: (error) => (error === undefined ? done() : fail(error)),
      });
      if (talk.say !== undefined) pipe.write(talk.say);
      if (talk.thenEnd === true) pipe.end();
    });
  } finally {
    pipe.close();
  }
}

function appended(bytes: Buffer, chunk: Uint8Array, { maxBytes, what }: Conversation) {
  if (bytes.length + chunk.length <= maxBytes) return Buffer.concat([bytes, chunk]);
  throw new EpmuxError('PROTOCOL', `${what} says more than ${maxBytes} bytes`);
}
