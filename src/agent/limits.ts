import type { Environment } from '../runtime/environment.ts';
import { type LimitsOf, type LimitTable, limitsFrom, settingsOf } from '../runtime/limits.ts';
import { SESSION_LIMITS } from '../runtime/session-limits.ts';

const MIB = 1024 * 1024;

/** What `--limit` and EPMUX_AGENT_LIMITS set; docs/bounds.md says what happens at each. */
export const AGENT_LIMITS = {
  /** Connections to its port. */
  connections: { standard: 256, least: 2, most: 65_535 },
  /** Of these, those that have not proved themselves, until they are closed. With the sessions they are all connections. */
  waitingPipes: { standard: 192, least: 1, most: 65_535 },
  sessions: { standard: 64, least: 1, most: 10_000 },
  ...SESSION_LIMITS,
  streams: { ...SESSION_LIMITS.streams, standard: 1_024 },
  /** A dyno has less memory than a laptop. */
  bufferBytes: { ...SESSION_LIMITS.bufferBytes, standard: 8 * MIB },
  windowBytes: { ...SESSION_LIMITS.windowBytes, standard: 32 * MIB },
  /** What all sessions hold together before detached ones are ended. */
  heldBytes: { standard: 64 * MIB, least: 65_536, most: 64 * 1_024 * MIB },
  /** Nodes of this host that are told. */
  nodes: { standard: 1_000, least: 1, most: 10_000 },
} as const satisfies LimitTable;

export type AgentLimits = LimitsOf<typeof AGENT_LIMITS>;

const LIMITS_VARIABLE = 'EPMUX_AGENT_LIMITS';

/** Those of the command line win over those of the variable. Throws USAGE. */
export function agentLimits(given: readonly string[], env: Environment): AgentLimits {
  const variable = settingsOf(env[LIMITS_VARIABLE]);
  limitsFrom(AGENT_LIMITS, variable, LIMITS_VARIABLE, 'USAGE');
  return limitsFrom(AGENT_LIMITS, [...variable, ...given], '--limit', 'USAGE');
}
