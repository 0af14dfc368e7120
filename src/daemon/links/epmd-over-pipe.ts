import { type EpmdAnswer, type EpmdRequest, encodeEpmdRequest } from '../../erlang/epmd.ts';
import { EpmuxError } from '../../protocol/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { BytePipe } from '../../runtime/pipe.ts';

/** Puts one question to an epmd and closes the pipe. Fails with EPMD_PROTOCOL, TIMEOUT, or what broke the pipe. */
export function askEpmdOver<T>(
  pipe: BytePipe,
  request: EpmdRequest,
  answer: EpmdAnswer<T>,
  limit: { readonly clock: Clock; readonly timeoutMs: number },
): Promise<T> {
  return new Promise((resolve, reject) => {
    const { clock, timeoutMs } = limit;
    const settle = (settleWith: () => void) => {
      cancel();
      pipe.close();
      settleWith();
    };
    const fail = (error: unknown) => settle(() => reject(error));
    const cancel = clock.wakeAt(clock.now() + timeoutMs, () =>
      fail(new EpmuxError('TIMEOUT', `epmd there did not answer within ${timeoutMs} ms`)),
    );
    const step = (read: () => T | undefined) => {
      try {
        const value = read();
        if (value !== undefined) settle(() => resolve(value));
      } catch (error) {
        fail(error);
      }
    };
    pipe.start({
      onBytes: (chunk) => step(() => answer.push(chunk)),
      onWritable: () => undefined,
      onEnd: () => step(() => answer.end()),
      onClosed: (error) => {
        if (error === undefined) step(() => answer.end());
        else fail(error);
      },
    });
    pipe.write(encodeEpmdRequest(request));
  });
}
