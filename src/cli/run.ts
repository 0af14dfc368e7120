import { EpmuxError, ERROR_CODES, Exit } from '../protocol/errors.ts';
import { jsonText } from '../protocol/text.ts';
import { VERSION } from '../runtime/version.ts';
import type { Io } from './io.ts';
import { parseCommandLine } from './parse.ts';
import { asEpmuxError, errorDocument, errorLines } from './report.ts';

/** Runs one command line to its exit code; never throws. An interrupt ends it with 128+n, whatever it waits for. */
export async function runCommandLine(argv: readonly string[], io: Io): Promise<number> {
  const interruption = watchInterrupts(io.interrupted);
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
  const hint = `see \`epmux ${command} --help\``;
  return new EpmuxError(thrown.code, thrown.message, { cause: thrown, hint });
}

export function reportFailure(error: EpmuxError, argv: readonly string[], io: Io): number {
  if (hasFlag(argv, '--json')) io.out(jsonText(errorDocument(error)));
  // Who pressed Ctrl-C knows why the command ended.
  if (error.code !== 'INTERRUPTED' || !io.interactive) {
    for (const line of errorLines(error, io.paintTalk, wantsStack(argv, io))) io.talk(line);
  }
  return error.code === 'INTERRUPTED' ? (io.interruptedExit ?? error.exitCode) : error.exitCode;
}

function watchInterrupts(signal: AbortSignal): {
  readonly interrupted: Promise<never>;
  stop(): void;
} {
  let stop = (): void => undefined;
  const interrupted = new Promise<never>((_resolve, reject) => {
    const fire = (): void => reject(new EpmuxError('INTERRUPTED', 'interrupted'));
    // It may have come while this was being loaded.
    if (signal.aborted) fire();
    signal.addEventListener('abort', fire, { once: true });
    stop = () => signal.removeEventListener('abort', fire);
  });
  return { interrupted, stop };
}

function wantsStack(argv: readonly string[], io: Io): boolean {
  if (io.env['EPMUX_DEBUG']) return true;
  const words = beforeRest(argv);
  return words.some(
    (word, at) =>
      word === '--log-level=debug' || (word === 'debug' && words[at - 1] === '--log-level'),
  );
}

function hasFlag(argv: readonly string[], flag: string): boolean {
  return beforeRest(argv).includes(flag);
}

function beforeRest(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf('--');
  return end < 0 ? argv : argv.slice(0, end);
}
