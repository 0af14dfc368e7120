/**
 * Wire constants. Normative in docs/protocol.md; a test ties the two. Tunables live in
 * session/config.ts.
 */

export const MAGIC: Uint8Array = Uint8Array.of(0x45, 0x50, 0x4d, 0x55, 0x58, 0x0d, 0x0a, 0x1a);
export const MAJOR_VERSION = 1;
export const MINOR_VERSION = 0;

export const MAX_PAYLOAD_BYTES = 65_536;
export const MAX_ATTRIBUTES_BYTES = 1_024;
export const MAX_TEXT_BYTES = 512;
export const INITIAL_CREDIT_BYTES = 65_536;
export const ACK_EVERY_BYTES = 32_768;
export const ACK_DELAY_MS = 25;
export const NONCE_BYTES = 32;
export const SESSION_ID_BYTES = 16;
export const BOOT_ID_BYTES = 16;
export const MIN_SECRET_BYTES = 16;
export const FRAME_HEADER_BYTES = 8;
/** A frame with its header. */
export const MAX_FRAME_BYTES = FRAME_HEADER_BYTES + MAX_PAYLOAD_BYTES;
/**
 * What a DATA frame carries where nothing asks for less: with its header it then fills two packets
 * of an SSH channel, and one read of a socket, without a rest of a few bytes.
 */
export const PREFERRED_PAYLOAD_BYTES = MAX_PAYLOAD_BYTES - FRAME_HEADER_BYTES;

export const Role = { daemon: 0, agent: 1 } as const;
export type RoleName = keyof typeof Role;

export const FrameType = {
  PROOF: 0x01,
  REFUSE: 0x02,
  ATTACH: 0x03,
  ATTACHED: 0x04,
  ACK: 0x05,
  PING: 0x06,
  PONG: 0x07,
  GOODBYE: 0x08,
  TAIL: 0x09,
  OPEN: 0x41,
  ACCEPT: 0x42,
  REJECT: 0x43,
  DATA: 0x44,
  CREDIT: 0x45,
  FIN: 0x46,
  RESET: 0x47,
  DIRECTORY: 0xc8,
} as const;

/** A type with this bit is skipped by who does not know it. */
export const OPTIONAL_BIT = 0x80;
/** A type with this bit counts in the reliable sequence. */
export const RELIABLE_BIT = 0x40;

export const AttributeType = { software: 0x0001, bootId: 0x0002, hostName: 0x0003 } as const;
export const REQUIRED_ATTRIBUTE_BIT = 0x8000;

export const WireCode = {
  NONE: 0,
  PROTOCOL: 1,
  VERSION: 2,
  SECRET: 3,
  UNSUPPORTED: 4,
  SESSION_UNKNOWN: 5,
  POSITION: 6,
  BUSY: 7,
  EXHAUSTED: 8,
  SHUTDOWN: 9,
  UNKNOWN_TARGET: 10,
  NO_SUCH_NODE: 11,
  NO_EPMD: 12,
  CONNECT_FAILED: 13,
  CANCELLED: 14,
  ENDPOINT_GONE: 15,
  STALLED: 16,
  NODE_SILENT: 17,
  HIDDEN_ONLY: 18,
  REPLACED: 19,
  TIMEOUT: 20,
  COOKIE: 21,
} as const;
export type WireCodeName = keyof typeof WireCode;

/** The label that a role's proof begins with. */
export const PROOF_LABEL = {
  daemon: 'epmux 1 daemon proof',
  agent: 'epmux 1 agent proof',
} as const satisfies Record<RoleName, string>;
