import { encodeFrames, FrameType, WINDOW_BYTES } from './frames.ts';

const HIGH_WATER_BYTES = 128 * 1024;

export interface StdinQueueOptions {
  readonly send: (parts: readonly Buffer[]) => void;
  /** After `write` said false: there is room again. */
  readonly onWritable: () => void;
}

/** What a command writes to the process: it leaves as the daemon grants it, and then its end. */
export class StdinQueue {
  readonly #options: StdinQueueOptions;
  #mayBytes = WINDOW_BYTES;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #full = false;
  #ended = false;
  #endSent = false;

  constructor(options: StdinQueueOptions) {
    this.#options = options;
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** False: `onWritable` tells when to go on. What comes after the end is dropped. */
  write(chunk: Uint8Array): boolean {
    if (this.#ended) return true;
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
    this.#flush();
    this.#full = this.#waitingBytes >= HIGH_WATER_BYTES;
    return !this.#full;
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#flush();
  }

  grant(bytes: number): void {
    this.#mayBytes += bytes;
    this.#flush();
  }

  #flush(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const part = next.subarray(0, this.#mayBytes);
      if (part.length === 0 && next.length > 0) break;
      if (part.length === next.length) this.#waiting.shift();
      else this.#waiting[0] = next.subarray(part.length);
      this.#mayBytes -= part.length;
      this.#waitingBytes -= part.length;
      this.#options.send(encodeFrames(FrameType.stdin, part));
    }
    if (this.#ended && !this.#endSent && this.#waiting.length === 0) {
      this.#endSent = true;
      this.#options.send(encodeFrames(FrameType.stdinEnd, Buffer.alloc(0)));
    }
    if (this.#full && this.#waitingBytes < HIGH_WATER_BYTES / 2) {
      this.#full = false;
      queueMicrotask(this.#options.onWritable);
    }
  }
}
