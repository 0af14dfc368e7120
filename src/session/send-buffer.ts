import { Fifo } from './fifo.ts';

/** Below this a chunk is copied: a reference would keep the whole buffer it was read into. */
const COPY_BELOW_BYTES = 2_048;
const BLOCK_BYTES = 16_384;

/** The bytes written to a stream that are not in frames yet. Large chunks are kept by reference. */
export class SendBuffer {
  #chunks = new Fifo<Uint8Array>();
  #bytes = 0;
  /** Where small chunks are gathered; the last chunk of the queue ends at `#blockUsed` while `#blockOpen`. */
  #block = new Uint8Array(0);
  #blockUsed = 0;
  #blockOpen = false;

  get bytes(): number {
    return this.#bytes;
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#bytes += chunk.length;
    if (chunk.length < COPY_BELOW_BYTES) {
      this.#gather(chunk);
    } else {
      this.#chunks.push(chunk);
      this.#blockOpen = false;
    }
  }

  /** Moves the first `length` bytes, of which there must be as many, to `target` from `offset` on. */
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
      } else {
        target.set(chunk.subarray(0, wanted), at);
        at = end;
        this.#chunks.replaceFirst(chunk.subarray(wanted));
      }
    }
    this.#bytes -= length;
  }

  clear(): void {
    this.#chunks.clear();
    this.#bytes = 0;
    this.#block = new Uint8Array(0);
    this.#blockUsed = 0;
    this.#blockOpen = false;
  }

  #gather(chunk: Uint8Array): void {
    if (this.#block.length - this.#blockUsed < chunk.length) {
      this.#block = new Uint8Array(BLOCK_BYTES);
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
