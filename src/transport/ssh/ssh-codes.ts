/** Reasons for which a server opens no channel (RFC 4254, 5.1). */
export const OpenFailure = {
  /** Nobody may, or nobody who is not let in yet. */
  prohibited: 1,
  connectFailed: 2,
  unknownType: 3,
  shortage: 4,
} as const;

/** The reason that ssh2 leaves on the error of a channel that was not opened. */
export function openFailureOf(error: Error | undefined): unknown {
  return (error as { readonly reason?: unknown } | undefined)?.reason;
}

/** Types of messages (RFC 4253, 12 and RFC 4254, 9). */
export const MessageType = { ignore: 2, channelWindowAdjust: 93 } as const;

/** A packet's length and the length of its padding stand before the payload (RFC 4253, 6). */
export const BEFORE_PAYLOAD_BYTES = 5;
/** In CHANNEL_DATA type, channel and length stand before the data (RFC 4254, 5.2). */
export const BEFORE_DATA_BYTES = 9;

/** Signals that SSH can name (RFC 4254, 6.10). */
export const SIGNALS: readonly string[] =
  'ABRT ALRM FPE HUP ILL INT KILL PIPE QUIT SEGV TERM USR1 USR2'.split(' ');
