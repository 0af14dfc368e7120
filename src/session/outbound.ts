import { FRAME_HEADER_BYTES, FrameType, MAX_FRAME_BYTES } from '../protocol/constants.ts';
import { encodeFrame, writeHeader } from '../protocol/encode.ts';
import { MIN_PAYLOAD_BYTES } from './config.ts';
import type { ControlQueue } from './control-queue.ts';
import type { FrameMemory } from './frame-memory.ts';
import type { PathEstimator } from './path-estimator.ts';
import type { ReplayQueue } from './replay.ts';
import type { Scheduler } from './scheduler.ts';
import type { Stream } from './stream.ts';
import type { Streams } from './streams.ts';

/**
 * Sparse streams may go so far beyond what may be in flight: a keystroke does not wait for an
 * acknowledgement of bulk.
 */
const SPARSE_EXTRA_BYTES = 16_384;

export interface OutboundOptions {
  readonly memory: FrameMemory;
  readonly replay: ReplayQueue;
  readonly control: ControlQueue;
  readonly scheduler: Scheduler;
  readonly streams: Streams;
  readonly path: PathEstimator;
}

/**
 * Makes the reliable frames, in the order of docs/session.md: the rest of the last pipe, control,
 * sparse streams, bulk.
 */
export class Outbound {
  readonly #memory: FrameMemory;
  readonly #replay: ReplayQueue;
  readonly #control: ControlQueue;
  readonly #scheduler: Scheduler;
  readonly #streams: Streams;
  readonly #path: PathEstimator;

  constructor(options: OutboundOptions) {
    this.#memory = options.memory;
    this.#replay = options.replay;
    this.#control = options.control;
    this.#scheduler = options.scheduler;
    this.#streams = options.streams;
    this.#path = options.path;
  }

  /** Appends about `roomBytes` at most to `out`. */
  fill(now: number, roomBytes: number, out: Uint8Array[]): void {
    const replay = this.#replay;
    const before = replay.sent;
    this.#path.expectWord(this.#scheduler.expectsWord(now));
    let starved = false;
    if (replay.hasUnsent) {
      const mayFly = this.#path.limitBytes - replay.inFlight;
      replay.takeUnsent(Math.min(roomBytes, mayFly), out);
    }
    if (!replay.hasUnsent) {
      starved = this.#frame(now, roomBytes - (replay.sent - before));
      replay.takeUnsent(Number.POSITIVE_INFINITY, out);
    }
    this.#path.onSent(replay.sent, now, starved);
  }

  /** True: there was room for more than the streams have to send. */
  #frame(now: number, roomBytes: number): boolean {
    let room = roomBytes;
    while (room > 0) {
      room -= this.#frameControl(room);
      if (room <= 0) return false;
      const mayFly = this.#path.limitBytes - this.#replay.bytes;
      if (this.#scheduler.idle) return this.#isStarved(mayFly);
      const hasBudget = this.#replay.dataRoom >= FRAME_HEADER_BYTES + MIN_PAYLOAD_BYTES;
      if (!hasBudget || mayFly <= -SPARSE_EXTRA_BYTES) return false;
      const stream = this.#scheduler.next(now, mayFly <= 0);
      if (stream === undefined) return false;
      room -= this.#frameData(stream, now);
    }
    return false;
  }

  /**
   * A stream that waits for credit with much in flight has filled the path as well as one that may
   * send.
   */
  #isStarved(mayFly: number): boolean {
    return mayFly > (this.#scheduler.lacksCredit ? this.#path.limitBytes / 2 : 0);
  }

  #frameControl(roomBytes: number): number {
    let bytes = 0;
    while (bytes < roomBytes && this.#replay.fitsControl(MAX_FRAME_BYTES)) {
      const frame = this.#control.take();
      if (frame === undefined) break;
      const encoded = encodeFrame(frame);
      this.#replay.append(encoded);
      bytes += encoded.length;
    }
    return bytes;
  }

  #frameData(stream: Stream, now: number): number {
    const most = Math.min(
      stream.credit,
      this.#path.payloadBytes,
      this.#replay.dataRoom - FRAME_HEADER_BYTES,
    );
    const frame = stream.takeFrame(most) ?? this.#copyFrame(stream, most);
    const length = frame.length - FRAME_HEADER_BYTES;
    writeHeader(frame, 0, FrameType.DATA, length, stream.id);
    this.#replay.adopt(frame);
    this.#streams.onFramed(stream, length, now);
    return frame.length;
  }

  #copyFrame(stream: Stream, most: number): Uint8Array {
    const length = Math.min(stream.buffer.bytes, most);
    const frame = this.#memory.take(FRAME_HEADER_BYTES + length);
    stream.moveInto(frame, FRAME_HEADER_BYTES, length);
    return frame;
  }
}
