import { PREFERRED_PAYLOAD_BYTES } from '../protocol/constants.ts';
import { EpmuxError } from '../protocol/errors.ts';

/**
 * Tunables of a session; none of them has to agree with the other end. Units stand in the names.
 */
export interface SessionConfig {
  /** Silence after which a PING goes out. */
  readonly heartbeatMs: number;
  /** Silence after which the pipe is dead. */
  readonly deadAfterMs: number;
  /** A step between two calls longer than this is a jump of the clock: probe. */
  readonly clockJumpMs: number;
  /** How long a probe's answer may take. */
  readonly probeTimeoutMs: number;
  /** How long ATTACHED may take. */
  readonly attachTimeoutMs: number;
  /** How long the session waits for a new pipe. */
  readonly graceMs: number;
  /** Most bytes kept for replay; a full budget pushes back on the streams. */
  readonly replayBudgetBytes: number;
  /** A stream's send buffer: `write` says false above it. */
  readonly streamBufferBytes: number;
  /**
   * All send buffers together, while what is in them leaves: above it a stream that has half of its
   * own in use waits until they are below it, or its own is empty.
   */
  readonly crowdedBufferBytes: number;
  /** All send buffers together: above it a stream may hold no more than its last write. */
  readonly maxBufferedBytes: number;
  /** The receive window of a new stream, while windows take up less than half of what they may. */
  readonly firstWindowBytes: number;
  /** The receive window a stream may grow to. */
  readonly maxWindowBytes: number;
  /** Sum of all receive windows beyond the initial credit. */
  readonly maxWindowsTotalBytes: number;
  /**
   * Bounds of what may be in flight until acknowledged; in between it follows the measured
   * bandwidth-delay product.
   */
  readonly minInFlightBytes: number;
  readonly maxInFlightBytes: number;
  /**
   * The largest payload of a DATA frame of this end; on a slow path frames are smaller by
   * themselves.
   */
  readonly maxPayloadBytes: number;
  /** Most streams at once. */
  readonly maxStreams: number;
}

/** A DATA frame carries no less than this to fit a budget, unless there is no more to send. */
export const MIN_PAYLOAD_BYTES = 4_096;
const MIN_BUDGET_BYTES = 4 * MIN_PAYLOAD_BYTES;

export const SESSION_DEFAULTS: SessionConfig = {
  heartbeatMs: 3_000,
  deadAfterMs: 9_000,
  clockJumpMs: 5_000,
  probeTimeoutMs: 2_000,
  attachTimeoutMs: 10_000,
  graceMs: 15 * 60_000,
  replayBudgetBytes: 16 * 1024 * 1024,
  streamBufferBytes: 128 * 1024,
  crowdedBufferBytes: 768 * 1024,
  maxBufferedBytes: 32 * 1024 * 1024,
  firstWindowBytes: 1024 * 1024,
  maxWindowBytes: 16 * 1024 * 1024,
  maxWindowsTotalBytes: 64 * 1024 * 1024,
  minInFlightBytes: 16 * 1024,
  maxInFlightBytes: 16 * 1024 * 1024,
  maxPayloadBytes: PREFERRED_PAYLOAD_BYTES,
  maxStreams: 10_000,
};

/** Refuses, with CONFIG_INVALID, values with which a session could not work. */
export function checkSessionConfig(config: SessionConfig): void {
  for (const [name, value] of Object.entries(config)) {
    if (!Number.isFinite(value) || value <= 0) refuse(`${name} is ${value}: it must be above 0`);
  }
  if (config.replayBudgetBytes < MIN_BUDGET_BYTES) {
    refuse(`replayBudgetBytes must be ${MIN_BUDGET_BYTES} or more`);
  }
  if (config.deadAfterMs <= config.heartbeatMs) refuse('deadAfterMs must be above heartbeatMs');
  if (config.clockJumpMs <= config.heartbeatMs) refuse('clockJumpMs must be above heartbeatMs');
  if (
    config.maxPayloadBytes < MIN_PAYLOAD_BYTES ||
    config.maxPayloadBytes > PREFERRED_PAYLOAD_BYTES
  ) {
    refuse(`maxPayloadBytes must be from ${MIN_PAYLOAD_BYTES} to ${PREFERRED_PAYLOAD_BYTES}`);
  }
  if (config.maxInFlightBytes < config.minInFlightBytes) {
    refuse('maxInFlightBytes must not be below minInFlightBytes');
  }
}

function refuse(why: string): never {
  throw new EpmuxError('CONFIG_INVALID', `session: ${why}`);
}
