/**
 * Frames of the distribution handshake (erts user's guide, "Distribution Protocol"), without their
 * 2-byte length.
 *
 *     connector                                  acceptor
 *        │── name      N or n, - for no name ──▶ │
 *        │◀─ status    s ─────────────────────── │   ok, ok_simultaneous, nok, not_allowed, alive, named:
 *        │── status    s (after alive) ────────▶ │   true, false
 *        │◀─ challenge N or n ────────────────── │
 *        │── complement c (after n, N) ────────▶ │
 *        │── reply     r ──────────────────────▶ │
 *        │◀─ ack       a ─────────────────────── │
 *
 * `N` belongs to version 6 (OTP 23 and later), `n` to version 5.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { ByteReader, concat, text, u16, u32, u64 } from './bytes.ts';

export const Flag = {
  PUBLISHED: 1n << 0n,
  EXTENDED_REFERENCES: 1n << 2n,
  FUN_TAGS: 1n << 4n,
  NEW_FUN_TAGS: 1n << 7n,
  EXTENDED_PIDS_PORTS: 1n << 8n,
  EXPORT_PTR_TAG: 1n << 9n,
  BIT_BINARIES: 1n << 10n,
  NEW_FLOATS: 1n << 11n,
  UTF8_ATOMS: 1n << 16n,
  MAP_TAG: 1n << 17n,
  BIG_CREATION: 1n << 18n,
  HANDSHAKE_23: 1n << 24n,
  UNLINK_ID: 1n << 25n,
  NAME_ME: 1n << 33n,
  V4_NC: 1n << 34n,
} as const;

export type HandshakeVersion = 5 | 6;

export interface NameFrame {
  readonly kind: 'name';
  readonly version: HandshakeVersion;
  readonly flags: bigint;
  /** 0 in version 5. */
  readonly creation: number;
  /** With NAME_ME: the host part only. */
  readonly name: string;
}

export interface StatusFrame {
  readonly kind: 'status';
  readonly status: string;
  /** With `named:` the name and creation that the acceptor gives the connector. */
  readonly given: { readonly name: string; readonly creation: number } | undefined;
}

export interface ChallengeFrame {
  readonly kind: 'challenge';
  readonly version: HandshakeVersion;
  readonly flags: bigint;
  readonly challenge: number;
  /** 0 in version 5. */
  readonly creation: number;
  readonly name: string;
}

export interface ComplementFrame {
  readonly kind: 'complement';
  readonly flagsHigh: number;
  readonly creation: number;
}

export interface ReplyFrame {
  readonly kind: 'reply';
  readonly challenge: number;
  readonly digest: Uint8Array;
}

export interface AckFrame {
  readonly kind: 'ack';
  readonly digest: Uint8Array;
}

export type ConnectorFrame = NameFrame | StatusFrame | ComplementFrame | ReplyFrame;
export type AcceptorFrame = StatusFrame | ChallengeFrame | AckFrame;

const DIGEST_BYTES = 16;
const NAMED = 'named:';
/** The 16-bit version of an `n` frame; the real one is agreed by flags. */
const VERSION_FIELD = 5;

/** The tag that a frame begins with. */
export const Tag = {
  name6: 0x4e,
  name5: 0x6e,
  status: 0x73,
  complement: 0x63,
  reply: 0x72,
  ack: 0x61,
} as const;

export function isNameTag(tag: number | undefined): boolean {
  return tag === Tag.name6 || tag === Tag.name5;
}

/**
 * What proves the cookie: MD5 of its characters, a byte each, followed by the challenge as decimal
 * text.
 */
export function digest(cookie: string, challenge: number): Uint8Array {
  return createHash('md5').update(`${cookie}${challenge}`, 'latin1').digest();
}

/** A cookie that the relay at the tunnel's other end knows and this one does not. */
export const RELAYED_COOKIE: unique symbol = Symbol('the cookie that the other relay knows');
export type Cookie = string | typeof RELAYED_COOKIE;

const MARK: Uint8Array = new Uint8Array(DIGEST_BYTES);

/**
 * As `digest`; for the cookie of the other relay the mark that it replaces by a digest
 * (docs/protocol.md, 8.2).
 */
export function proof(cookie: Cookie, challenge: number): Uint8Array {
  return cookie === RELAYED_COOKIE ? MARK : digest(cookie, challenge);
}

export function isMark(shown: Uint8Array): boolean {
  return timingSafeEqual(shown, MARK);
}

/** In place of a mark from who may not make one. */
export const NO_PROOF: Uint8Array = new Uint8Array(DIGEST_BYTES).fill(0xff);

/** Throws HANDSHAKE_REFUSED on a frame that no connector sends. */
export function decodeConnectorFrame(frame: Uint8Array): ConnectorFrame {
  const reader = new ByteReader(frame, 'HANDSHAKE_REFUSED');
  const tag = reader.u8();
  switch (tag) {
    case Tag.name6: {
      const flags = reader.u64();
      const creation = reader.u32();
      return { kind: 'name', version: 6, flags, creation, name: reader.text(reader.u16()) };
    }
    case Tag.name5: {
      reader.u16();
      const flags = BigInt(reader.u32());
      return { kind: 'name', version: 5, flags, creation: 0, name: reader.text(reader.left) };
    }
    case Tag.status:
      return { kind: 'status', status: reader.text(reader.left), given: undefined };
    case Tag.complement:
      return { kind: 'complement', flagsHigh: reader.u32(), creation: reader.u32() };
    case Tag.reply:
      return { kind: 'reply', challenge: reader.u32(), digest: reader.bytes(DIGEST_BYTES) };
    default:
      throw reader.error(`no connector's frame begins with ${tag}`);
  }
}

/** Throws HANDSHAKE_REFUSED on a frame that no acceptor sends. */
export function decodeAcceptorFrame(frame: Uint8Array): AcceptorFrame {
  const reader = new ByteReader(frame, 'HANDSHAKE_REFUSED');
  const tag = reader.u8();
  switch (tag) {
    case Tag.status:
      return decodeStatus(reader);
    case Tag.name6: {
      const flags = reader.u64();
      const challenge = reader.u32();
      const creation = reader.u32();
      const name = reader.text(reader.u16());
      return { kind: 'challenge', version: 6, flags, challenge, creation, name };
    }
    case Tag.name5: {
      reader.u16();
      const flags = BigInt(reader.u32());
      const challenge = reader.u32();
      const name = reader.text(reader.left);
      return { kind: 'challenge', version: 5, flags, challenge, creation: 0, name };
    }
    case Tag.ack:
      return { kind: 'ack', digest: reader.bytes(DIGEST_BYTES) };
    default:
      throw reader.error(`no acceptor's frame begins with ${tag}`);
  }
}

function decodeStatus(reader: ByteReader): StatusFrame {
  const start = reader.text(Math.min(NAMED.length, reader.left));
  if (start !== NAMED) {
    return { kind: 'status', status: start + reader.text(reader.left), given: undefined };
  }
  const name = reader.text(reader.u16());
  return { kind: 'status', status: NAMED, given: { name, creation: reader.u32() } };
}

export function encodeName(frame: Omit<NameFrame, 'kind'>): Uint8Array {
  const name = text(frame.name);
  if (frame.version === 5) {
    const low = u32(Number(BigInt.asUintN(32, frame.flags)));
    return concat(Uint8Array.of(Tag.name5), u16(VERSION_FIELD), low, name);
  }
  const fixed = concat(u64(frame.flags), u32(frame.creation), u16(name.length));
  return concat(Uint8Array.of(Tag.name6), fixed, name);
}

export function encodeStatus(
  status: string,
  given?: { readonly name: string; readonly creation: number },
): Uint8Array {
  const head = concat(Uint8Array.of(Tag.status), text(status));
  if (given === undefined) return head;
  const name = text(given.name);
  return concat(head, u16(name.length), name, u32(given.creation));
}

export function encodeChallenge(frame: Omit<ChallengeFrame, 'kind'>): Uint8Array {
  const name = text(frame.name);
  const challenge = u32(frame.challenge);
  if (frame.version === 5) {
    const low = u32(Number(BigInt.asUintN(32, frame.flags)));
    return concat(Uint8Array.of(Tag.name5), u16(VERSION_FIELD), low, challenge, name);
  }
  const fixed = concat(u64(frame.flags), challenge, u32(frame.creation), u16(name.length));
  return concat(Uint8Array.of(Tag.name6), fixed, name);
}

export function encodeReply(frame: Omit<ReplyFrame, 'kind'>): Uint8Array {
  return concat(Uint8Array.of(Tag.reply), u32(frame.challenge), frame.digest);
}

export function encodeAck(frame: Omit<AckFrame, 'kind'>): Uint8Array {
  return concat(Uint8Array.of(Tag.ack), frame.digest);
}

/** The frame with its 2-byte length before it, as it goes over the wire. */
export function framed(frame: Uint8Array): Uint8Array {
  return concat(u16(frame.length), frame);
}
