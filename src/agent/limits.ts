import { RELAY_DEFAULTS } from '../erlang/relay-options.ts';
import { PREFERRED_PAYLOAD_BYTES } from '../protocol/constants.ts';
import { type LimitsOf, type LimitTable, limitsFrom, settingsOf } from '../runtime/limits.ts';
import { MIN_PAYLOAD_BYTES } from '../session/config.ts';

const MIB = 1024 * 1024;

/** What `--limit` and EPMUX_AGENT_LIMITS set; docs/bounds.md says what happens at each. */
export const AGENT_LIMITS = {
  /** Connections to its port. */
  connections: { standard: 256, least: 2, most: 65_535 },
  /** Of these, those that have not proved themselves, until they are closed. With the sessions they are all connections. */
  waitingPipes: { standard: 192, least: 1, most: 65_535 },
  /** For hello and proof together. */
  helloMs: { standard: 10_000, least: 100, most: 600_000 },
  sessions: { standard: 64, least: 1, most: 10_000 },
  /** Of one session. */
  streams: { standard: 1_024, least: 1, most: 1_000_000 },
  /** The largest payload of the frames that it makes. */
  frameBytes: {
    standard: PREFERRED_PAYLOAD_BYTES,
    least: MIN_PAYLOAD_BYTES,
    most: PREFERRED_PAYLOAD_BYTES,
  },
  /** Kept for replay by one session. */
  replayBytes: { standard: 16 * MIB, least: 65_536, most: 1_024 * MIB },
  /** In the send buffers of one session's streams; above it each holds one write at most. */
  bufferBytes: { standard: 8 * MIB, least: 65_536, most: 1_024 * MIB },
  /** Receive windows of one session beyond the first 64 KiB of each stream. */
  windowBytes: { standard: 32 * MIB, least: 65_536, most: 1_024 * MIB },
  /** What all sessions hold together before detached ones are ended. */
  heldBytes: { standard: 64 * MIB, least: 65_536, most: 64 * 1_024 * MIB },
  /** Nodes of this host that are told. */
  nodes: { standard: 1_000, least: 1, most: 10_000 },
  /** Without a word from a node, not even a tick: it is frozen. */
  nodeSilenceMs: { standard: RELAY_DEFAULTS.nodeSilenceMs, least: 1_000, most: 86_400_000 },
} as const satisfies LimitTable;

export type AgentLimits = LimitsOf<typeof AGENT_LIMITS>;

const LIMITS_VARIABLE = 'EPMUX_AGENT_LIMITS';

/** Those of the command line win over those of the variable. Throws USAGE. */
export function agentLimits(
  given: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): AgentLimits {
  const variable = settingsOf(env[LIMITS_VARIABLE]);
  limitsFrom(AGENT_LIMITS, variable, LIMITS_VARIABLE, 'USAGE');
  return limitsFrom(AGENT_LIMITS, [...variable, ...given], '--limit', 'USAGE');
}
