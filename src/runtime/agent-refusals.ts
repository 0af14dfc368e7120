/** What the errors of an attach tell of the agent that was to be attached to. */
import { EpmuxError, type ErrorCode } from '../protocol/errors.ts';

/**
 * Why no session comes of what listens, or does not listen, on the agent's port: with these another
 * agent may be pushed.
 */
const NOT_THIS_AGENT: Partial<Record<ErrorCode, string>> = {
  AGENT_MISSING: 'no agent listens there',
  NOT_AN_AGENT: 'what listens there is no agent',
  SECRET_MISSING: 'no secret is known for an agent that listens there',
  SECRET_REFUSED: 'the agent that listens there has another secret',
  VERSION_MISMATCH: 'the agent that listens there is of another version',
  UNSUPPORTED: 'the agent that listens there is of another version',
};
/** With these `--agent auto` goes without one; with the others a person would want to know. */
export const GOES_WITHOUT = ['AGENT_MISSING', 'NOT_AN_AGENT', 'SECRET_MISSING'] as const;
/**
 * Who answers so has not proved to be the agent: that one may have the session still, and be back
 * on its port in a moment.
 */
const UNPROVED = ['SECRET_REFUSED', 'VERSION_MISMATCH', 'UNSUPPORTED'] as const;
/**
 * The agent that was pushed is gone, or something else has its port now, which is nobody else's
 * while that agent lives.
 */
export const PUSHED_IS_GONE = ['AGENT_MISSING', 'NOT_AN_AGENT', ...UNPROVED] as const;

export function isUnproved(error: EpmuxError): boolean {
  return EpmuxError.is(error, ...UNPROVED);
}

export function isNotThisAgent(error: unknown): error is EpmuxError {
  return error instanceof EpmuxError && Object.hasOwn(NOT_THIS_AGENT, error.code);
}

/** What is there in place of the agent, or that nothing is. */
export function foundInstead({ code }: EpmuxError): string {
  return NOT_THIS_AGENT[code] ?? code;
}

const OR_WITHOUT = 'start `epmux agent` there, or drop `--agent require`';

/**
 * What the person is told whose link has none. `cannotPush`: why none can be pushed either;
 * `isByChoice`: it could go without.
 */
export function withoutAny(
  refusal: EpmuxError,
  cannotPush: string | undefined,
  isByChoice: boolean,
): EpmuxError {
  if (refusal.code !== 'AGENT_MISSING') return refusal;
  const pushed = cannotPush === undefined ? '' : `, and none can be pushed: ${cannotPush}`;
  return refusal.with({
    message: `${refusal.message}${pushed}`,
    hint: isByChoice ? OR_WITHOUT : undefined,
  });
}
