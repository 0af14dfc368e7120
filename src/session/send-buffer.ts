import {
  FRAME_HEADER_BYTES,
  MAX_PAYLOAD_BYTES,
  PREFERRED_PAYLOAD_BYTES,
} from '../protocol/constants.ts';
import { Fifo } from './fifo.ts';
import { type FrameMemory, POOLED_FROM_BYTES } from './frame-memory.ts';

const NO_BLOCK: Uint8Array = new Uint8Array(0);

/**
 * The bytes written to a stream that are not in frames yet, copied: small chunks side by side,
 * large ones into the memory of frames, behind room for a header, so that most of them become
 * frames as they lie.
 */
export class SendBuffer {
  readonly #memory: FrameMemory;
  #chunks = new Fifo<Uint8Array>();
  #bytes = 0;
  /**
   * Where small chunks are gathered while something waits; the last chunk of the queue ends at
   * `#blockUsed` while `#blockOpen`.
   */
  #block = NO_BLOCK;
  #blockUsed = 0;
  #blockOpen = false;

  constructor(memory: FrameMemory) {
    this.#memory = memory;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#bytes += chunk.length;
    if (chunk.length < POOLED_FROM_BYTES) {
      this.#gather(chunk);
      return;
    }
    this.#blockOpen = false;
    for (let at = this.#fillLast(chunk); at < chunk.length; at += PREFERRED_PAYLOAD_BYTES) {
      this.#pushBlock(at === 0 ? chunk : chunk.subarray(at));
    }
  }

  /**
   * What lies first, with room for the header before it: for a frame of its own. Undefined: it does
   * not lie so, it is more than `mostBytes`, or it would make a small frame where more follows.
   */
  takeFrame(mostBytes: number): Uint8Array | undefined {
    const chunk = this.#chunks.first();
    if (chunk === undefined || chunk.length > mostBytes) return undefined;
    const isLarge = chunk.length >= PREFERRED_PAYLOAD_BYTES / 2;
    if (!isLarge && chunk.length < Math.min(mostBytes, this.#bytes)) return undefined;
    if (!this.#memory.isPooled(chunk)) return undefined;
    this.#chunks.shift();
    this.#took(chunk.length);
    const start = chunk.byteOffset - FRAME_HEADER_BYTES;
    return Buffer.from(chunk.buffer, start, FRAME_HEADER_BYTES + chunk.length);
  }

  /**
   * Moves the first `length` bytes, of which there must be as many, to `target` from `offset` on.
   */
  moveInto(target: Uint8Array, offset: number, length: number): void {
    let at = offset;
    const end = offset + length;
    while (at < end) {
      const chunk = this.#chunks.first();
      if (chunk === undefined) throw new RangeError('more asked for than is buffered');
      const wanted = end - at;
      if (chunk.length <= wanted) {
        target.set(chunk, at);
        at += chunk.length;
        this.#chunks.shift();
        this.#memory.giveBack(chunk);
      } else {
        target.set(chunk.subarray(0, wanted), at);
        at = end;
        this.#chunks.replaceFirst(chunk.subarray(wanted));
      }
    }
    this.#took(length);
  }

  clear(): void {
    this.#chunks.clear();
    this.#took(this.#bytes);
  }

  /** There may be thousands of streams on which nothing waits: such a one keeps no block. */
  #took(bytes: number): void {
    this.#bytes -= bytes;
    if (this.#bytes > 0 || this.#block === NO_BLOCK) return;
    this.#memory.giveBackGathering(this.#block);
    this.#block = NO_BLOCK;
    this.#blockUsed = 0;
    this.#blockOpen = false;
  }

  /** How many bytes of the chunk found room behind the last one. */
  #fillLast(chunk: Uint8Array): number {
    const last = this.#chunks.last();
    if (last === undefined || !this.#memory.isPooled(last)) return 0;
    const { buffer, byteOffset, length } = last;
    const fits = Math.min(chunk.length, buffer.byteLength - byteOffset - length);
    if (fits === 0) return 0;
    const longer = Buffer.from(buffer, byteOffset, length + fits);
    longer.set(fits === chunk.length ? chunk : chunk.subarray(0, fits), length);
    this.#chunks.replaceLast(longer);
    return fits;
  }

  /**
   * Takes as much of the chunk as a frame may have. Where no large one waits before it, more may
   * not follow, and the block is of about that size.
   */
  #pushBlock(chunk: Uint8Array): void {
    const length = Math.min(chunk.length, PREFERRED_PAYLOAD_BYTES);
    const last = this.#chunks.last();
    const isBacklog = last !== undefined && this.#memory.isPooled(last);
    const block = this.#memory.takeBlock(
      isBacklog ? MAX_PAYLOAD_BYTES : FRAME_HEADER_BYTES + length,
    );
    block.set(length === chunk.length ? chunk : chunk.subarray(0, length), FRAME_HEADER_BYTES);
    this.#chunks.push(block.subarray(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + length));
  }

  #gather(chunk: Uint8Array): void {
    if (this.#block.length - this.#blockUsed < chunk.length) {
      this.#block = this.#memory.takeGathering();
      this.#blockUsed = 0;
      this.#blockOpen = false;
    }
    const start = this.#blockUsed;
    this.#block.set(chunk, start);
    this.#blockUsed += chunk.length;
    const last = this.#blockOpen ? this.#chunks.last() : undefined;
    if (last === undefined) {
      this.#chunks.push(this.#block.subarray(start, this.#blockUsed));
    } else {
      const from = last.byteOffset - this.#block.byteOffset;
      this.#chunks.replaceLast(this.#block.subarray(from, this.#blockUsed));
    }
    this.#blockOpen = true;
  }
}
