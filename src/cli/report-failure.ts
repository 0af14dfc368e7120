import { type EpmuxError, ERROR_CODES } from '../protocol/errors.ts';
import { jsonText } from '../protocol/text.ts';
import type { Io } from './io.ts';
import { errorDocument, errorLines } from './report.ts';

/** Tells the person, or the reader of `--json`, what went wrong, and gives the exit code for it. */
export function reportFailure(error: EpmuxError, argv: readonly string[], io: Io): number {
  if (hasFlag(argv, '--json')) io.out(jsonText(errorDocument(error)));
  // Who pressed Ctrl-C knows why the command ended, but not what could not be taken back.
  const isBare = error.code === 'INTERRUPTED' && error.hint === ERROR_CODES.INTERRUPTED.hint;
  if (!isBare || !io.interactive) {
    for (const line of errorLines(error, io.paintTalk, wantsStack(argv, io))) io.talk(line);
  }
  return error.code === 'INTERRUPTED' ? (io.interruptedExit ?? error.exitCode) : error.exitCode;
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
  return beforeRest(argv).some((word) => word === flag || word.startsWith(`${flag}=`));
}

function beforeRest(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf('--');
  return end < 0 ? argv : argv.slice(0, end);
}
