import { type Check, type CheckResult, runChecks } from '../../../src/cli/doctor/check.ts';
import { systemClock } from '../../../src/runtime/clock.ts';

export const never = new AbortController().signal;

export async function run<C>(checks: readonly Check<C>[], context: C): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  const tell = (result: CheckResult) => void results.push(result);
  await runChecks(checks, context, { clock: systemClock, signal: never, tell });
  return results;
}

/** What one check of a group says. */
export async function one<C>(checks: readonly Check<C>[], id: string, context: C) {
  const [result] = await run(
    checks.filter((check) => check.id === id),
    context,
  );
  return result;
}

/** Such as `ok`, `broken NO_EPMD`; empty where a check says nothing. */
export function outcomeOf(result: CheckResult | undefined): string {
  if (result === undefined) return '';
  return result.state === 'broken' ? `broken ${result.code}` : result.state;
}
