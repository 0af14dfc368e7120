import { messageOf } from '../../src/protocol/errors.ts';

/** What one part of the matrix has to say of one pair: what it is, and how each check ended. */
export interface PairResult {
  /** Such as `local 25, remote 27`. */
  readonly pair: string;
  readonly checks: readonly CheckResult[];
}

export interface CheckResult {
  readonly check: string;
  readonly ok: boolean;
  /** What was seen, or why it failed. */
  readonly detail: string;
}

export interface PartResult {
  readonly part: string;
  /** What was compared, and where each came from. */
  readonly with: readonly string[];
  readonly pairs: readonly PairResult[];
  /** What can't be had on this machine, and why. */
  readonly missing: readonly string[];
}

export interface Check<P> {
  readonly check: string;
  /** Gives what was seen; fails with why not. */
  readonly look: (pair: P) => Promise<string>;
}

/** One after the other; none after one that failed. */
export async function runChecks<P>(
  title: string,
  checks: readonly Check<P>[],
  pair: P,
): Promise<PairResult> {
  const results: CheckResult[] = [];
  for (const { check, look } of checks) {
    const result = await look(pair).then(
      (detail) => ({ check, ok: true, detail }),
      (error: unknown) => ({ check, ok: false, detail: messageOf(error) }),
    );
    results.push(result);
    if (!result.ok) break;
  }
  return { pair: title, checks: results };
}

const MARKS = { true: 'ok', false: 'FAILED' } as const;

/** A Markdown table, a line a pair. */
export function table({ pairs }: PartResult): string {
  const checks = [...new Set(pairs.flatMap((pair) => pair.checks.map(({ check }) => check)))];
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const lines = [row(['', ...checks]), row(['---', ...checks.map(() => '---')])];
  for (const { pair, checks: results } of pairs) {
    const cells = checks.map((check) => {
      const result = results.find((one) => one.check === check);
      return result === undefined ? '-' : MARKS[`${result.ok}`];
    });
    lines.push(row([pair, ...cells]));
  }
  return lines.join('\n');
}

export function failures({ pairs }: PartResult): string[] {
  return pairs.flatMap(({ pair, checks }) =>
    checks.filter(({ ok }) => !ok).map(({ check, detail }) => `${pair}: ${check}: ${detail}`),
  );
}
