import { EpmuxError, type ErrorCode } from '../../protocol/errors.ts';
import { attempt } from '../../runtime/attempt.ts';
import type { Clock } from '../../runtime/clock.ts';
import { asEpmuxError } from '../report.ts';

interface Shown {
  readonly detail: string;
}

interface Wanting extends Shown {
  /** What to do. */
  readonly hint: string;
}

/** What one look has shown. The code of what is broken decides the exit code. */
export type Finding =
  | (Shown & { readonly state: 'ok' })
  | (Wanting & { readonly state: 'warning' })
  | (Wanting & { readonly state: 'broken'; readonly code: ErrorCode });

export type CheckState = Finding['state'];

export type CheckResult = Finding & {
  /** Stable: `epmd`, `web.1/epmd`. */
  readonly id: string;
  readonly title: string;
};

export interface Check<C> {
  readonly id: string;
  readonly title: string;
  /** Those behind it in its group need what it looks at: broken, it ends the group. */
  readonly vital?: boolean;
  /**
   * Undefined: it says nothing here. What it throws is what is broken. What it learns for later
   * checks it leaves in the context.
   */
  look(context: C, signal: AbortSignal): Promise<Finding | undefined> | Finding | undefined;
}

export interface Round {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly tell: (result: CheckResult) => void;
  /** Goes before ids and titles: the dyno. */
  readonly dyno?: string;
  /** For each check: 45 s unless told. */
  readonly limitMs?: number;
}

/** Longer than each step's own limits, which say more than this one. */
const LIMIT_MS = 45_000;

export function ok(detail: string): Finding {
  return { state: 'ok', detail };
}

export function warning(detail: string, hint: string): Finding {
  return { state: 'warning', detail, hint };
}

export function broken({ code, message, hint }: EpmuxError): Finding {
  return { state: 'broken', detail: message, hint, code };
}

/**
 * Each check in turn, each within a limit. False when a vital one was broken and the rest was left
 * out.
 */
export async function runChecks<C>(
  checks: readonly Check<C>[],
  context: C,
  round: Round,
): Promise<boolean> {
  for (const check of checks) {
    const finding = await lookWithin(check, context, round);
    if (finding === undefined) continue;
    const { dyno } = round;
    round.tell({
      id: dyno === undefined ? check.id : `${dyno}/${check.id}`,
      title: dyno === undefined ? check.title : `${dyno} ${check.title}`,
      ...finding,
    });
    if (finding.state === 'broken' && check.vital === true) return false;
  }
  return true;
}

async function lookWithin<C>(
  check: Check<C>,
  context: C,
  round: Round,
): Promise<Finding | undefined> {
  const { clock, limitMs = LIMIT_MS } = round;
  const over = new AbortController();
  const signal = AbortSignal.any([round.signal, over.signal]);
  const limits = {
    what: check.title,
    clock,
    limitMs,
    late: () => new EpmuxError('TIMEOUT', `no outcome within ${limitMs / 1_000} s`),
  };
  try {
    return await attempt<Finding | undefined>(limits, ({ succeed, fail }) => {
      lookNow(check, context, signal).then(succeed, (thrown) => fail(asEpmuxError(thrown)));
      return (error) => over.abort(error);
    });
  } catch (thrown) {
    return broken(asEpmuxError(thrown));
  }
}

async function lookNow<C>(check: Check<C>, context: C, signal: AbortSignal) {
  return check.look(context, signal);
}
