import { finished } from 'node:stream/promises';
import type { EpmuxError } from '../protocol/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { BytePipe } from '../runtime/pipe.ts';
import { pairPipe } from '../runtime/socket-pipe.ts';
import { within } from '../runtime/wait.ts';
import type { PipeSource } from './pipe-source.ts';

/**
 * One pipe, this process's stdin and stdout. `ended` rejects with the reason when it is refused.
 */
export function serveStdio(
  greet: (pipe: BytePipe) => Promise<EpmuxError | undefined>,
  clock: Clock,
): PipeSource {
  const { stdin, stdout } = process;
  const refusal = greet(pairPipe(stdin, stdout, 'stdio'));
  const over = finished(stdin).catch(() => {});
  const ended = refusal.then(async (error) => {
    if (error !== undefined) throw error;
    await over;
  });
  ended.catch(() => {});
  return {
    port: undefined,
    ended,
    async stop(withinMs) {
      // The pipe closes both once its last bytes are out.
      await within(clock, withinMs, over);
    },
  };
}
