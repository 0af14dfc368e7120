import { RELAY_DEFAULTS } from '../erlang/relay-options.ts';
import { PREFERRED_PAYLOAD_BYTES } from '../protocol/constants.ts';
import { MIN_PAYLOAD_BYTES, SESSION_DEFAULTS, type SessionConfig } from '../session/config.ts';
import type { LimitsOf, LimitTable } from './limits.ts';

const GIB = 1024 ** 3;

/** What a person may set of a session at either end. */
export const SESSION_LIMITS = {
  /** For hello and proof together. */
  helloMs: { standard: 10_000, least: 100, most: 600_000 },
  /** Of one session. */
  streams: { standard: SESSION_DEFAULTS.maxStreams, least: 1, most: 1_000_000 },
  /** The largest payload of the frames that it makes. */
  frameBytes: {
    standard: SESSION_DEFAULTS.maxPayloadBytes,
    least: MIN_PAYLOAD_BYTES,
    most: PREFERRED_PAYLOAD_BYTES,
  },
  /** Kept for replay by one session. */
  replayBytes: { standard: SESSION_DEFAULTS.replayBudgetBytes, least: 65_536, most: GIB },
  /** In the send buffers of one session's streams; above it each holds one write at most. */
  bufferBytes: { standard: SESSION_DEFAULTS.maxBufferedBytes, least: 65_536, most: GIB },
  /** Receive windows of one session beyond the first 64 KiB of each stream. */
  windowBytes: { standard: SESSION_DEFAULTS.maxWindowsTotalBytes, least: 65_536, most: GIB },
  /** Without a word from a node, not even a tick: it is frozen. */
  nodeSilenceMs: { standard: RELAY_DEFAULTS.nodeSilenceMs, least: 1_000, most: 86_400_000 },
} as const satisfies LimitTable;

type SessionLimits = LimitsOf<typeof SESSION_LIMITS>;

/** With what else is told over the defaults. */
export function sessionConfigOf(
  limits: SessionLimits,
  rest: Partial<SessionConfig> = {},
): SessionConfig {
  return {
    ...SESSION_DEFAULTS,
    maxStreams: limits.streams,
    maxPayloadBytes: limits.frameBytes,
    replayBudgetBytes: limits.replayBytes,
    maxBufferedBytes: limits.bufferBytes,
    maxWindowsTotalBytes: limits.windowBytes,
    ...rest,
  };
}
