import { EpmuxError, ERROR_CODES, Exit } from '../protocol/errors.ts';
import { VERSION } from '../runtime/version.ts';
import type { Io } from './io.ts';
import { parseCommandLine } from './parse.ts';
import { asEpmuxError } from './report.ts';
import { reportFailure } from './report-failure.ts';

/**
 * Runs one command line to its exit code; never throws. An interrupt ends it with 128+n, whatever
 * it waits for.
 */
export async function runCommandLine(argv: readonly string[], io: Io): Promise<number> {
  const interruption = watchInterrupts(io);
  try {
    return await Promise.race([dispatch(argv, io), interruption.interrupted]);
  } catch (thrown) {
    return reportFailure(asEpmuxError(thrown), argv, io);
  } finally {
    interruption.stop();
  }
}

async function dispatch(argv: readonly string[], io: Io): Promise<number> {
  const request = await parseCommandLine(argv, io.columns);
  switch (request.kind) {
    case 'help':
      io.out(request.text);
      return Exit.done;
    case 'version':
      io.out(`epmux ${VERSION}`);
      return Exit.done;
    case 'run':
      return request.command.run(request.given, io).catch((error: unknown) => {
        throw withHelpOf(request.command.name, error);
      });
  }
}

/** Where nothing says more, the next step after wrong usage is the command's own help. */
function withHelpOf(command: string, thrown: unknown): unknown {
  const isBare = thrown instanceof EpmuxError && thrown.hint === ERROR_CODES.USAGE.hint;
  if (!isBare) return thrown;
  return thrown.with({ hint: `see \`epmux ${command} --help\`` });
}

function watchInterrupts(io: Pick<Io, 'interrupted' | 'heeded'>): {
  readonly interrupted: Promise<never>;
  stop(): void;
} {
  const signal = io.interrupted;
  let stop = (): void => undefined;
  const interrupted = new Promise<never>((_resolve, reject) => {
    const fire = async (): Promise<void> => {
      await io.heeded();
      // What it has to say goes first.
      setImmediate(() => reject(new EpmuxError('INTERRUPTED', 'interrupted')));
    };
    // It may have come while this was being loaded.
    if (signal.aborted) void fire();
    signal.addEventListener('abort', fire, { once: true });
    stop = () => signal.removeEventListener('abort', fire);
  });
  return { interrupted, stop };
}
