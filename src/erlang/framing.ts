import { concat, NO_BYTES } from './bytes.ts';
import { isNameTag } from './handshake.ts';

/**
 * No handshake frame comes near it (a name has 255 characters at most); its high byte is below that
 * of a TLS record.
 */
export const MAX_HANDSHAKE_FRAME_BYTES = 4_096;

/** A message without a length: that its sender is alive. */
export const TICK: Uint8Array = new Uint8Array(4);

/**
 * What a record of TLS begins with: a handshake's, or the alert that answers what is none. Its
 * third byte is part of a version, and begins no name.
 */
const TLS_RECORDS = [0x16, 0x15];

/**
 * Divides one direction of a handshake into frames with 2-byte lengths. Holds one frame beyond the
 * chunk given last.
 */
export class HandshakeFrames {
  #held: Uint8Array = NO_BYTES;

  push(chunk: Uint8Array): void {
    this.#held = this.#held.length === 0 ? chunk : concat(this.#held, chunk);
  }

  /**
   * The next whole frame without its length; `undefined`: not there yet; a word: this is no
   * handshake, though it may begin as one.
   */
  next(): Uint8Array | 'tls' | 'overlong' | 'overlong name' | undefined {
    const [high, low, tag] = this.#held;
    if (high === undefined) return undefined;
    if (high << 8 >= MAX_HANDSHAKE_FRAME_BYTES) {
      // The other end may be waiting for them, but who speaks TLS says five bytes at least.
      if (tag === undefined) return undefined;
      if (isNameTag(tag)) return 'overlong name';
      return TLS_RECORDS.includes(high) ? 'tls' : 'overlong';
    }
    if (low === undefined) return undefined;
    const end = 2 + ((high << 8) | low);
    if (this.#held.length < end) return undefined;
    const frame = this.#held.subarray(2, end);
    this.#held = this.#held.subarray(end);
    return frame;
  }

  /** Everything that `next` has not given, once. */
  rest(): Uint8Array {
    const rest = this.#held;
    this.#held = NO_BYTES;
    return rest;
  }
}

const HEADER_BYTES = 4;

/**
 * Follows one direction of messages with 4-byte lengths. Ticks (length 0) are dropped. A message up
 * to `maxHeldBytes` (its header not counted) is handed over whole; a longer one streams through.
 * Whatever the chunks, what is given is the same bytes in the same order.
 */
export class MessageRuns {
  readonly #maxHeldBytes: number;
  readonly #header = new Uint8Array(HEADER_BYTES);
  #headerFill = 0;
  /** Bytes missing of the message begun. */
  #left = 0;
  /** The message begun, header included, when it is held until whole. */
  #held: Uint8Array | undefined;
  #heldFill = 0;

  constructor(maxHeldBytes: number) {
    this.#maxHeldBytes = maxHeldBytes;
  }

  /** Everything given so far ends with the end of a message. */
  get atBoundary(): boolean {
    return this.#left === 0 || this.#held !== undefined;
  }

  push(chunk: Uint8Array): Uint8Array[] {
    const out: Uint8Array[] = [];
    let at = 0;
    // Whole messages from `given` to `at` leave as one slice.
    let given = 0;
    while (at < chunk.length) {
      const end = this.#left > 0 || this.#headerFill > 0 ? 0 : endOfWhole(chunk, at);
      if (end > 0) {
        at = end;
        continue;
      }
      if (at > given) out.push(chunk.subarray(given, at));
      at = this.#left > 0 ? this.#readBody(chunk, at, out) : this.#readHeader(chunk, at, out);
      given = at;
    }
    if (at > given) out.push(chunk.subarray(given, at));
    return out;
  }

  /** What is held, once: for when the direction ends in the middle of it. */
  rest(): Uint8Array {
    const header = this.#header.slice(0, this.#headerFill);
    const rest = this.#held === undefined ? header : this.#held.subarray(0, this.#heldFill);
    this.#headerFill = 0;
    this.#held = undefined;
    return rest;
  }

  #readHeader(chunk: Uint8Array, at: number, out: Uint8Array[]): number {
    const part = chunk.subarray(at, at + HEADER_BYTES - this.#headerFill);
    this.#header.set(part, this.#headerFill);
    this.#headerFill += part.length;
    if (this.#headerFill === HEADER_BYTES) {
      this.#headerFill = 0;
      this.#begin(readLength(this.#header, 0), out);
    }
    return at + part.length;
  }

  #begin(length: number, out: Uint8Array[]): void {
    if (length === 0) return;
    this.#left = length;
    if (length > this.#maxHeldBytes) {
      out.push(this.#header.slice());
      return;
    }
    this.#held = new Uint8Array(HEADER_BYTES + length);
    this.#held.set(this.#header);
    this.#heldFill = HEADER_BYTES;
  }

  #readBody(chunk: Uint8Array, at: number, out: Uint8Array[]): number {
    const part = chunk.subarray(at, at + this.#left);
    this.#left -= part.length;
    if (this.#held === undefined) {
      out.push(part);
    } else {
      this.#held.set(part, this.#heldFill);
      this.#heldFill += part.length;
      if (this.#left === 0) {
        out.push(this.#held);
        this.#held = undefined;
      }
    }
    return at + part.length;
  }
}

/** Indexed, since this runs for every message. */
function readLength(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  const low = ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
  return high * 65_536 + low;
}

/**
 * Where the message that begins at `at` ends in the same chunk; 0 when it does not, and for a tick.
 */
function endOfWhole(chunk: Uint8Array, at: number): number {
  if (at + HEADER_BYTES > chunk.length) return 0;
  const length = readLength(chunk, at);
  const end = at + HEADER_BYTES + length;
  return length > 0 && end <= chunk.length ? end : 0;
}
