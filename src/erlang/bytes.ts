import { EpmuxError, type ErrorCode } from '../protocol/errors.ts';

export const NO_BYTES: Uint8Array = new Uint8Array(0);

export function u16(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value);
}

export function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

export function u64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value);
  return bytes;
}

export function text(value: string): Uint8Array {
  return Buffer.from(value, 'utf8');
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return parts.length === 1 ? (parts[0] ?? NO_BYTES) : Buffer.concat(parts);
}

const MIN_ROOM = 64;

/** Bytes that come in pieces, in memory of about their own size however small the pieces are. */
export class Pieces {
  #room: Uint8Array = NO_BYTES;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** A view. Later pieces leave it as it is. */
  get bytes(): Uint8Array {
    return this.#room.subarray(0, this.#length);
  }

  push(piece: Uint8Array): void {
    const end = this.#length + piece.length;
    if (end > this.#room.length) {
      const roomier = new Uint8Array(Math.max(end, 2 * this.#room.length, MIN_ROOM));
      roomier.set(this.bytes);
      this.#room = roomier;
    }
    this.#room.set(piece, this.#length);
    this.#length = end;
  }

  /** Everything, once. */
  take(): Uint8Array {
    const { bytes } = this;
    this.#room = NO_BYTES;
    this.#length = 0;
    return bytes;
  }
}

/** Reads big-endian fields; a read past the end throws an EpmuxError of the code given. */
export class ByteReader {
  readonly #bytes: Buffer;
  readonly #code: ErrorCode;
  #at = 0;

  constructor(bytes: Uint8Array, code: ErrorCode) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#code = code;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#take(1));
  }

  u16(): number {
    return this.#bytes.readUInt16BE(this.#take(2));
  }

  u32(): number {
    return this.#bytes.readUInt32BE(this.#take(4));
  }

  i32(): number {
    return this.#bytes.readInt32BE(this.#take(4));
  }

  u64(): bigint {
    return this.#bytes.readBigUInt64BE(this.#take(8));
  }

  /** A view, not a copy. */
  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  text(length: number): string {
    const at = this.#take(length);
    return this.#bytes.toString('utf8', at, at + length);
  }

  latin1(length: number): string {
    const at = this.#take(length);
    return this.#bytes.toString('latin1', at, at + length);
  }

  error(message: string): EpmuxError {
    return new EpmuxError(this.#code, message);
  }

  #take(length: number): number {
    if (length > this.left) {
      throw this.error(`${length - this.left} bytes are missing`);
    }
    const at = this.#at;
    this.#at += length;
    return at;
  }
}
