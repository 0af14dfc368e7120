import { ERROR_CODES, Exit, type ExitCode } from '../../protocol/errors.ts';
import { printable } from '../terminal/printable.ts';
import type { Paint } from '../terminal/style.ts';
import { count } from '../terminal/units.ts';
import type { CheckResult, CheckState } from './check.ts';

const STYLE = { ok: 'green', warning: 'yellow', broken: 'red' } as const;
const STATE_WIDTH = 9;
const TITLE_WIDTH = 22;

/**
 * One line, and the hint below it. Each line stands for itself, so that it can be shown as soon as
 * it is known.
 */
export function resultLines(result: CheckResult, paint: Paint): string[] {
  const { state, detail } = result;
  const title = printable(result.title).padEnd(TITLE_WIDTH);
  const mark = paint(STYLE[state], state) + ' '.repeat(STATE_WIDTH - state.length);
  const code = result.state === 'broken' ? ` (${result.code})` : '';
  const lines = [`${mark}${title} ${printable(detail)}${code}`];
  if (result.state !== 'ok') {
    lines.push(`${' '.repeat(STATE_WIDTH)}${paint('dim', 'hint:')} ${printable(result.hint)}`);
  }
  return lines;
}

export interface DoctorDocument {
  readonly checks: readonly CheckResult[];
  readonly ok: boolean;
}

export function doctorDocument(checks: readonly CheckResult[]): DoctorDocument {
  return { checks, ok: !checks.some(({ state }) => state === 'broken') };
}

/** That of the first broken check; 0 when there is none, whatever was warned of. */
export function exitOf(checks: readonly CheckResult[]): ExitCode {
  const first = checks.find((check) => check.state === 'broken');
  if (first === undefined) return Exit.done;
  return ERROR_CODES[first.code].exit;
}

export function summary(checks: readonly CheckResult[]): string {
  const number = (state: CheckState): number =>
    checks.filter((check) => check.state === state).length;
  const [brokenOnes, warnings] = [number('broken'), number('warning')];
  const worst = brokenOnes === 0 ? 'nothing is broken' : `${brokenOnes} broken`;
  return warnings === 0 ? worst : `${worst}, ${count(warnings, 'warning')}`;
}
