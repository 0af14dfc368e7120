import { FRAME_HEADER_BYTES, MAX_PAYLOAD_BYTES, OPTIONAL_BIT, RELIABLE_BIT } from './constants.ts';
import { EpmuxError } from './errors.ts';
import type { Frame, WholeFrame } from './frames.ts';
import { checkHeader, frameName, parsePayload } from './parse.ts';

export interface FrameSink {
  frame(frame: WholeFrame): void;
  /**
   * A part of a DATA payload, never empty, that still lies in the chunk pushed. `endOfFrame`:
   * nothing of this frame is missing.
   */
  data(stream: number, slice: Uint8Array, endOfFrame: boolean): void;
  /**
   * So many bytes of the reliable sequence have been taken; called before what they complete is
   * handed out.
   */
  reliable(bytes: number): void;
}

const NOTHING = new Uint8Array(0);

/** A reliable frame that a cut divided, as far as it arrived: for the decoder of the next pipe. */
export type PartialFrame = OpenFrame;

/** The frame that is arriving. */
class OpenFrame {
  readonly header = new Uint8Array(FRAME_HEADER_BYTES);
  headerBytes = 0;
  /** Undefined: the header is not complete, or this version does not know the type and skips it. */
  name: Frame['type'] | undefined = undefined;
  stream = 0;
  /** Bytes of the payload still to come. */
  left = 0;
  /** Holds the payload of a frame that is handed out whole, once it did not arrive in one piece. */
  assembled: Uint8Array | undefined = undefined;

  get complete(): boolean {
    return this.headerBytes === FRAME_HEADER_BYTES && this.left === 0;
  }

  get reliable(): boolean {
    return this.headerBytes > 0 && ((this.header[0] ?? 0) & RELIABLE_BIT) !== 0;
  }

  /**
   * Appends to the payload of a frame that is handed out whole; what it returns is the payload as
   * far as it is there.
   */
  keep(slice: Uint8Array): Uint8Array {
    if (this.name === undefined) return slice;
    this.assembled ??= new Uint8Array(this.left);
    this.assembled.set(slice, this.assembled.length - this.left);
    return this.assembled;
  }

  clear(): void {
    this.headerBytes = 0;
    this.name = undefined;
    this.left = 0;
    this.assembled = undefined;
  }
}

/**
 * Takes the frames of one pipe as they arrive, in pieces of any size. What breaks a rule of the
 * page is thrown as an EpmuxError (PROTOCOL, or UNSUPPORTED for an unknown frame that is not
 * optional); after that the decoder is of no further use.
 */
export class FrameDecoder {
  #frame = new OpenFrame();
  /** Divided by the last cut; its TAIL has not begun. */
  #partial: PartialFrame | undefined;
  /** Bytes still to come of the TAIL whose payload continues `#frame`; 0 outside of a TAIL. */
  #tailLeft = 0;

  /** `partial`: what `takePartial` of the session's last pipe gave. */
  constructor(options: { readonly partial?: PartialFrame | undefined } = {}) {
    this.#partial = options.partial;
  }

  push(chunk: Uint8Array, sink: FrameSink): void {
    let at = 0;
    while (at < chunk.length) {
      at =
        this.#frame.headerBytes < FRAME_HEADER_BYTES
          ? this.#takeHeader(chunk, at, sink)
          : this.#takePayload(chunk, at, sink);
      if (this.#frame.complete) this.#frame.clear();
    }
  }

  /**
   * At the end of the pipe: the reliable frame that is not complete, if any. The decoder must not
   * be used afterwards.
   */
  takePartial(): PartialFrame | undefined {
    return this.#partial ?? (this.#frame.reliable ? this.#frame : undefined);
  }

  #takeHeader(chunk: Uint8Array, start: number, sink: FrameSink): number {
    const frame = this.#frame;
    const taken = Math.min(chunk.length - start, FRAME_HEADER_BYTES - frame.headerBytes);
    for (let at = start; at < start + taken; at++) {
      frame.header[frame.headerBytes++] = chunk[at] ?? 0;
    }
    if (frame.reliable) {
      if (this.#partial !== undefined) throw broken('the rest of the divided frame is missing');
      sink.reliable(taken);
    }
    const inTail = this.#tailLeft > 0;
    if (inTail) this.#tailLeft -= taken;
    if (frame.headerBytes === FRAME_HEADER_BYTES) {
      this.#readHeader(frame);
      if (inTail && this.#tailLeft !== frame.left) throw wrongTail();
      if (frame.name === 'TAIL') this.#beginTail(frame.left);
      else if (frame.left === 0) deliver(frame, NOTHING, sink);
    }
    return start + taken;
  }

  #readHeader(frame: OpenFrame): void {
    const [type = 0, l0 = 0, l1 = 0, l2 = 0, s0 = 0, s1 = 0, s2 = 0, s3 = 0] = frame.header;
    frame.left = (l0 << 16) | (l1 << 8) | l2;
    frame.stream = ((s0 << 24) | (s1 << 16) | (s2 << 8) | s3) >>> 0;
    frame.name = frameName(type);
    if (frame.name !== undefined) checkHeader(frame.name, frame.left, frame.stream);
    else checkUnknownHeader(type, frame.left);
  }

  #beginTail(length: number): void {
    const partial = this.#partial;
    if (partial === undefined) throw broken('TAIL where no frame was divided');
    const headerLeft = FRAME_HEADER_BYTES - partial.headerBytes;
    if (headerLeft === 0 ? length !== partial.left : length < headerLeft) throw wrongTail();
    this.#partial = undefined;
    this.#frame = partial;
    this.#tailLeft = length;
  }

  #takePayload(chunk: Uint8Array, start: number, sink: FrameSink): number {
    const frame = this.#frame;
    const slice = chunk.subarray(start, Math.min(chunk.length, start + frame.left));
    if (this.#tailLeft > 0) this.#tailLeft -= slice.length;
    const whole = frame.assembled === undefined && slice.length === frame.left;
    const payload = whole || frame.name === 'DATA' ? slice : frame.keep(slice);
    frame.left -= slice.length;
    if (frame.reliable) sink.reliable(slice.length);
    if (frame.name === 'DATA') sink.data(frame.stream, slice, frame.left === 0);
    else if (frame.left === 0) deliver(frame, payload, sink);
    return start + slice.length;
  }
}

function deliver(frame: OpenFrame, payload: Uint8Array, sink: FrameSink): void {
  // An unknown optional frame has no name and is skipped; TAIL and DATA never come here.
  if (frame.name === undefined || frame.name === 'TAIL' || frame.name === 'DATA') return;
  sink.frame(parsePayload(frame.name, frame.stream, payload));
}

function checkUnknownHeader(type: number, length: number): void {
  if (length > MAX_PAYLOAD_BYTES) throw broken(`a payload of ${length} bytes`);
  if ((type & OPTIONAL_BIT) === 0) {
    const hex = type.toString(16).padStart(2, '0');
    throw new EpmuxError('UNSUPPORTED', `the other end sent a frame of unknown type 0x${hex}`);
  }
}

function wrongTail(): EpmuxError {
  return broken('TAIL has not the length of what is missing');
}

function broken(why: string): EpmuxError {
  return new EpmuxError('PROTOCOL', `the other end broke the protocol: ${why}`);
}
