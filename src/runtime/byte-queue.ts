import { Pieces } from '../erlang/bytes.ts';
import { keepRead } from './lent-reads.ts';

/** Whole pieces from here on; smaller ones are copied together. */
const BIG_BYTES = 2_048;
const BLOCK_BYTES = 16_384;

/**
 * Bytes that wait, in the order and in about the memory of their own, however small the pieces are
 * that they come in.
 */
export class ByteQueue {
  #pieces: Uint8Array[] = [];
  readonly #copied = new Pieces();

  push(piece: Uint8Array): void {
    // A view keeps all of the chunk that it is a part of.
    const isOwn = piece.length >= BIG_BYTES && 2 * piece.length >= piece.buffer.byteLength;
    if (!isOwn) this.#copied.push(piece);
    if (isOwn || this.#copied.length >= BLOCK_BYTES) this.#seal();
    if (!isOwn) return;
    keepRead();
    this.#pieces.push(piece);
  }

  shift(): Uint8Array | undefined {
    if (this.#pieces.length === 0) this.#seal();
    return this.#pieces.shift();
  }

  clear(): void {
    this.#pieces = [];
    this.#copied.take();
  }

  #seal(): void {
    if (this.#copied.length > 0) this.#pieces.push(this.#copied.take());
  }
}
