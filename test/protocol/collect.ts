import type { FrameDecoder, FrameSink } from '../../src/protocol/decode.ts';
import type { Frame } from '../../src/protocol/frames.ts';

/** Puts DATA together again, so that what was decoded can be compared with what was encoded. */
export class Collector implements FrameSink {
  readonly frames: Frame[] = [];
  reliableBytes = 0;
  #data: Uint8Array[] = [];

  frame(frame: Frame): void {
    this.frames.push(frame);
  }

  data(stream: number, slice: Uint8Array, endOfFrame: boolean): void {
    this.#data.push(slice);
    if (!endOfFrame) return;
    const payload = new Uint8Array(Buffer.concat(this.#data));
    this.frames.push({ type: 'DATA', stream, payload });
    this.#data = [];
  }

  reliable(bytes: number): void {
    this.reliableBytes += bytes;
  }
}

export function pushAll(
  decoder: FrameDecoder,
  sink: FrameSink,
  chunks: Iterable<Uint8Array>,
): void {
  for (const chunk of chunks) decoder.push(chunk, sink);
}

export function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.replace(/\s/g, ''), 'hex'));
}
