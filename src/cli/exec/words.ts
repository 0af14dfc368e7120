import { LONGEST } from '../../daemon/control/api.ts';
import { EpmuxError } from '../../protocol/errors.ts';
import { shellQuoted } from '../../runtime/programs.ts';

/** A login shell's `-c` takes no more: its end counts as well. */
const MAX_LINE_BYTES = LONGEST.remoteCommand - 1;

/**
 * The line for the login shell there: one word is a line already, of several each stays one word.
 * Undefined: nothing is to be run but the shell itself. Throws USAGE when it is too long.
 */
export function shellLine(words: readonly string[]): string | undefined {
  const [only] = words;
  if (only === undefined) return undefined;
  const line = words.length === 1 ? only : words.map(shellQuoted).join(' ');
  if (Buffer.byteLength(line) <= MAX_LINE_BYTES) return line;
  throw new EpmuxError('USAGE', `the command is longer than ${MAX_LINE_BYTES} bytes`, {
    hint: 'send what is long on stdin: `epmux exec --pipe sh < script`',
  });
}
