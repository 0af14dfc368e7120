import { RELAY_DEFAULTS } from '../erlang/relay-options.ts';
import { PREFERRED_PAYLOAD_BYTES } from '../protocol/constants.ts';
import { MIN_PAYLOAD_BYTES, SESSION_DEFAULTS, type SessionConfig } from '../session/config.ts';
import type { LimitsOf, LimitTable } from './limits.ts';

const GIB = 1024 ** 3;

/** What a person may set of a session at either end. */
export const SESSION_LIMITS = {
  /** For hello and proof together. */
  helloMs: { default: 10_000, min: 100, max: 600_000 },
  /** Of one session. */
  streams: { default: SESSION_DEFAULTS.maxStreams, min: 1, max: 1_000_000 },
  /** The largest payload of the frames that it makes. */
  frameBytes: {
    default: SESSION_DEFAULTS.maxPayloadBytes,
    min: MIN_PAYLOAD_BYTES,
    max: PREFERRED_PAYLOAD_BYTES,
  },
  /** Kept for replay by one session. */
  replayBytes: { default: SESSION_DEFAULTS.replayBudgetBytes, min: 65_536, max: GIB },
  /** In the send buffers of one session's streams; above it each holds one write at most. */
  bufferBytes: { default: SESSION_DEFAULTS.maxBufferedBytes, min: 65_536, max: GIB },
  /** Receive windows of one session beyond the first 64 KiB of each stream. */
  windowBytes: { default: SESSION_DEFAULTS.maxWindowsTotalBytes, min: 65_536, max: GIB },
  /** Without a word from a node, not even a tick: it is frozen. */
  nodeSilenceMs: { default: RELAY_DEFAULTS.nodeSilenceMs, min: 1_000, max: 86_400_000 },
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
