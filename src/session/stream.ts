import { FRAME_HEADER_BYTES, INITIAL_CREDIT_BYTES } from '../protocol/constants.ts';
import type { StreamClass } from '../protocol/frames.ts';
import type { FrameMemory } from './frame-memory.ts';
import { RateMeter } from './rate-meter.ts';
import { SendBuffer } from './send-buffer.ts';
import type { StreamState, StreamStep } from './stream-state.ts';
import { nextState } from './stream-state.ts';
import type { ReceiveWindow } from './window.ts';

export interface StreamOptions {
  readonly id: number;
  readonly openedHere: boolean;
  readonly streamClass: StreamClass;
  readonly window: ReceiveWindow;
  readonly memory: FrameMemory;
}

/** One stream as this end sees it. */
export class Stream {
  readonly id: number;
  readonly openedHere: boolean;
  readonly streamClass: StreamClass;
  readonly window: ReceiveWindow;
  readonly buffer: SendBuffer;
  readonly recent = new RateMeter();
  /** `finish` was called: nothing more is written; FIN follows what is buffered. */
  finishing = false;
  /** `write` said false and `writable` is owed. */
  blocked = false;
  #state: StreamState = 'opening';
  #framed = 0;
  #sendLimit = INITIAL_CREDIT_BYTES;

  constructor(options: StreamOptions) {
    this.id = options.id;
    this.openedHere = options.openedHere;
    this.streamClass = options.streamClass;
    this.window = options.window;
    this.buffer = new SendBuffer(options.memory);
  }

  get state(): StreamState {
    return this.#state;
  }
  /** Bytes the other end still has credit for. */
  get credit(): number {
    return this.#sendLimit - this.#framed;
  }
  get sendable(): boolean {
    return this.buffer.bytes > 0 && this.credit > 0;
  }

  /** False: the state does not allow the step. */
  step(step: StreamStep): boolean {
    const next = nextState(this.#state, step);
    if (next === undefined) return false;
    this.#state = next;
    return true;
  }

  /** Credit never goes back: a lower limit than the last changes nothing. */
  onCredit(limit: number): void {
    this.#sendLimit = Math.max(this.#sendLimit, limit);
  }

  /** The next bytes of the buffer as a frame without its header, see `SendBuffer.takeFrame`. */
  takeFrame(mostBytes: number): Uint8Array | undefined {
    const frame = this.buffer.takeFrame(mostBytes);
    if (frame !== undefined) this.#framed += frame.length - FRAME_HEADER_BYTES;
    return frame;
  }

  /** Moves the next bytes of the buffer into a frame. */
  moveInto(frame: Uint8Array, offset: number, length: number): void {
    this.buffer.moveInto(frame, offset, length);
    this.#framed += length;
  }
}
