import { EpmuxError, messageOf, stackOf } from '../protocol/errors.ts';
import { systemCode, systemError } from '../runtime/system-error.ts';
import { printable } from './terminal/printable.ts';
import type { Paint } from './terminal/style.ts';

/** Whatever was thrown, as an error with a code. */
export function asEpmuxError(thrown: unknown): EpmuxError {
  if (thrown instanceof EpmuxError) return thrown;
  const message = messageOf(thrown);
  if (isMissingPart(thrown)) {
    return new EpmuxError('INTERNAL', message, { cause: thrown, hint: 'install epmux again' });
  }
  return systemError(thrown, message);
}

/** Much is loaded when it is needed: it may have been removed, or half replaced, since. */
function isMissingPart(thrown: unknown): boolean {
  return systemCode(thrown) === 'ERR_MODULE_NOT_FOUND';
}

/** The lines on stderr; where the error came from only for who asked to see it. */
export function errorLines(error: EpmuxError, paint: Paint, withStack: boolean): string[] {
  const lines = [
    `${paint('red', 'epmux:')} ${printable(error.message)} (${error.code})`,
    hintLine(error.hint, paint),
  ];
  if (withStack) lines.push(...stacks(error));
  return lines;
}

export function hintLine(hint: string, paint: Paint): string {
  return `${paint('dim', 'hint:')} ${printable(hint)}`;
}

function stacks(error: EpmuxError): string[] {
  const lines: string[] = [];
  let cause: unknown = error;
  for (let depth = 0; cause !== undefined && depth < 8; depth += 1) {
    const text = stackOf(cause);
    lines.push(...text.split('\n').map(printable));
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return lines;
}

/** The one document that `--json` prints instead of a result. */
export function errorDocument(error: EpmuxError): unknown {
  return { error: { code: error.code, message: error.message, hint: error.hint } };
}
