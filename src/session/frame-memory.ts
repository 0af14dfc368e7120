/** Frames of at least this size get memory of their own. */
const OWN_FROM_BYTES = 4_096;
const BLOCK_BYTES = 16_384;

/** Memory for frames, no byte of which is given out twice. Small frames lie side by side in a block. */
export class FrameMemory {
  #block = new Uint8Array(0);
  #used = 0;

  take(length: number): Uint8Array {
    if (length >= OWN_FROM_BYTES) return Buffer.allocUnsafeSlow(length);
    if (this.#block.length - this.#used < length) {
      this.#block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
      this.#used = 0;
    }
    this.#used += length;
    return this.#block.subarray(this.#used - length, this.#used);
  }
}

/** Appends to what a pipe will be given; bytes that lie behind the last piece in memory lengthen it. */
export function pushPiece(out: Uint8Array[], piece: Uint8Array): void {
  const last = out.at(-1);
  const adjoins =
    last !== undefined &&
    last.buffer === piece.buffer &&
    last.byteOffset + last.length === piece.byteOffset;
  if (adjoins) {
    out[out.length - 1] = Buffer.from(last.buffer, last.byteOffset, last.length + piece.length);
  } else {
    out.push(piece);
  }
}
