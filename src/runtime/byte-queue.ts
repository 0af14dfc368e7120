import { Pieces } from '../erlang/bytes.ts';

/** A piece below this is copied together with its neighbours; above, memory of its own costs it little. */
const SMALL_BYTES = 2_048;
const BLOCK_BYTES = 16_384;

/** Bytes that wait, in the order and in about the memory of their own, however small the pieces are that they come in. */
export class ByteQueue {
  #pieces: Uint8Array[] = [];
  readonly #small = new Pieces();

  get isEmpty(): boolean {
    return this.#pieces.length === 0 && this.#small.length === 0;
  }

  push(piece: Uint8Array): void {
    if (piece.length < SMALL_BYTES) this.#small.push(piece);
    if (
      this.#small.length > 0 &&
      (piece.length >= SMALL_BYTES || this.#small.length >= BLOCK_BYTES)
    ) {
      this.#pieces.push(this.#small.take());
    }
    if (piece.length >= SMALL_BYTES) this.#pieces.push(piece);
  }

  shift(): Uint8Array | undefined {
    return this.#pieces.shift() ?? (this.#small.length > 0 ? this.#small.take() : undefined);
  }

  clear(): void {
    this.#pieces = [];
    this.#small.take();
  }
}
