import { MAX_PAYLOAD_BYTES } from '../protocol/constants.ts';

/** Frames of at least this size get memory of their own. */
const OWN_FROM_BYTES = 4_096;
const BLOCK_BYTES = 16_384;
/**
 * Blocks in which streams gather small writes: as many as streams write within one turn, mostly.
 */
const MAX_SPARE_GATHERING = 16;
/** Frames above 8 KiB get a buffer of the next of these sizes, which serves again and again. */
export const POOLED_FROM_BYTES = MAX_PAYLOAD_BYTES / 8;
const POOLED_BYTES = [MAX_PAYLOAD_BYTES / 4, MAX_PAYLOAD_BYTES / 2, MAX_PAYLOAD_BYTES];
/**
 * What is kept for frames to come: as much as is in flight and in send buffers on a short path,
 * until a moment of rest.
 */
const MAX_SPARE_BYTES = 4 * 1_048_576;

/**
 * Memory for frames, no byte of which is given out twice before it was given back. Small frames lie
 * side by side in a block.
 */
export class FrameMemory {
  #block = new Uint8Array(0);
  #used = 0;
  readonly #spare = new Map(POOLED_BYTES.map((bytes): [number, Uint8Array[]] => [bytes, []]));
  #spareBytes = 0;
  readonly #spareGathering: Uint8Array[] = [];
  /** A block of small frames may have the same size, and is not to be taken for one of these. */
  readonly #pooled = new WeakSet<ArrayBufferLike>();

  take(length: number): Uint8Array {
    if (length > POOLED_FROM_BYTES) return this.#takePooled(length);
    if (length >= OWN_FROM_BYTES) return Buffer.allocUnsafeSlow(length);
    if (this.#block.length - this.#used < length) {
      this.#block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
      this.#used = 0;
    }
    this.#used += length;
    return this.#block.subarray(this.#used - length, this.#used);
  }

  /**
   * A whole buffer that serves again and again, of `length` bytes at least: more than 8 KiB, and no
   * more than a frame may have.
   */
  takeBlock(length: number): Uint8Array {
    const bytes = POOLED_BYTES.find((one) => one >= length) ?? length;
    const spare = this.#spare.get(bytes)?.pop();
    if (spare !== undefined) {
      this.#spareBytes -= bytes;
      return spare;
    }
    const block = Buffer.allocUnsafeSlow(bytes);
    this.#pooled.add(block.buffer);
    return block;
  }

  /** Whether the bytes lie in such a buffer. */
  isPooled(bytes: Uint8Array): boolean {
    return this.#pooled.has(bytes.buffer);
  }

  /** The other end has the frame: nothing that is still sent or kept anywhere refers to it. */
  giveBack(frame: Uint8Array): void {
    const { buffer } = frame;
    const bytes = buffer.byteLength;
    const spare = this.#spare.get(bytes);
    if (spare === undefined || !this.#pooled.has(buffer)) return;
    if (this.#spareBytes + bytes > MAX_SPARE_BYTES) return;
    this.#spareBytes += bytes;
    spare.push(frame.length === bytes ? frame : Buffer.from(buffer));
  }

  /** A block for small writes that become frames by being copied. */
  takeGathering(): Uint8Array {
    return this.#spareGathering.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
  }

  /** Nothing refers to the block any more. */
  giveBackGathering(block: Uint8Array): void {
    if (this.#spareGathering.length < MAX_SPARE_GATHERING) this.#spareGathering.push(block);
  }

  /** Keeps nothing for frames to come. */
  trim(): void {
    this.#spareGathering.length = 0;
    for (const spare of this.#spare.values()) spare.length = 0;
    this.#spareBytes = 0;
  }

  #takePooled(length: number): Uint8Array {
    const whole = this.takeBlock(length);
    return length === whole.length ? whole : whole.subarray(0, length);
  }
}

/**
 * Appends to what a pipe will be given; bytes that lie behind the last piece in memory lengthen it.
 */
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
