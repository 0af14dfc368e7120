import type { Environment } from '../runtime/environment.ts';
import { type LimitsOf, type LimitTable, limitsFrom, settingsOf } from '../runtime/limits.ts';
import { SESSION_LIMITS } from '../runtime/session-limits.ts';

const MIB = 1024 * 1024;

/** What `--limit` and EPMUX_AGENT_LIMITS set; docs/bounds.md says what happens at each. */
export const AGENT_LIMITS = {
  /** Connections to its port. */
  connections: { default: 256, min: 2, max: 65_535 },
  /**
   * Of these, those that have not proved themselves, until they are closed. With the sessions they
   * are all connections.
   */
  waitingPipes: { default: 192, min: 1, max: 65_535 },
  sessions: { default: 64, min: 1, max: 10_000 },
  ...SESSION_LIMITS,
  streams: { ...SESSION_LIMITS.streams, default: 1_024 },
  /** A dyno has less memory than a laptop. */
  bufferBytes: { ...SESSION_LIMITS.bufferBytes, default: 8 * MIB },
  windowBytes: { ...SESSION_LIMITS.windowBytes, default: 32 * MIB },
  /** What all sessions hold together before detached ones are ended. */
  heldBytes: { default: 64 * MIB, min: 65_536, max: 64 * 1_024 * MIB },
  /** Nodes of this host that are told. */
  nodes: { default: 1_000, min: 1, max: 10_000 },
} as const satisfies LimitTable;

export type AgentLimits = LimitsOf<typeof AGENT_LIMITS>;

const LIMITS_VARIABLE = 'EPMUX_AGENT_LIMITS';

/** Those of the command line win over those of the variable. Throws USAGE. */
export function agentLimits(given: readonly string[], env: Environment): AgentLimits {
  const variable = settingsOf(env[LIMITS_VARIABLE]);
  limitsFrom(AGENT_LIMITS, variable, LIMITS_VARIABLE, 'USAGE');
  return limitsFrom(AGENT_LIMITS, [...variable, ...given], '--limit', 'USAGE');
}
