import { tailHeader } from '../protocol/encode.ts';
import { Fifo } from './fifo.ts';
import { type FrameMemory, pushPiece } from './frame-memory.ts';

/** What control frames may take beyond the budget: they must pass when data has filled it. */
export const CONTROL_RESERVE_BYTES = 1_048_576;

/**
 * The reliable frames that are not acknowledged yet: what the pipe was handed is what is kept. Once
 * acknowledged a frame's memory serves for another: the pipe that brought it has let go of it, and
 * what an older pipe still holds nobody reads any more.
 * ```
 *   acked          sent                   end
 *     ├── in flight ──┼── to be sent again ──┤      (in a steady state: sent = end)
 * ```
 */
export class ReplayQueue {
  readonly #budgetBytes: number;
  readonly #memory: FrameMemory;
  #frames = new Fifo<Uint8Array>();
  /** Position of the first frame's first byte; at or before `acked`. */
  #firstStart = 0;
  /** How many of the frames are sent on this pipe. */
  #sentFrames = 0;
  #acked = 0;
  #sent = 0;
  #end = 0;

  constructor(budgetBytes: number, memory: FrameMemory) {
    this.#budgetBytes = budgetBytes;
    this.#memory = memory;
  }

  get acked(): number {
    return this.#acked;
  }
  get sent(): number {
    return this.#sent;
  }
  /** Bytes kept. */
  get bytes(): number {
    return this.#end - this.#acked;
  }
  get inFlight(): number {
    return this.#sent - this.#acked;
  }
  get hasUnsent(): boolean {
    return this.#sent < this.#end;
  }
  /** What a data frame, header included, may take. */
  get dataRoom(): number {
    return this.#budgetBytes - this.bytes;
  }

  fitsControl(length: number): boolean {
    return this.bytes + length <= this.#budgetBytes + CONTROL_RESERVE_BYTES;
  }

  /** Appends a frame that lies in this queue's memory already, and is changed no more. */
  adopt(frame: Uint8Array): void {
    this.#frames.push(frame);
    this.#end += frame.length;
  }

  append(frame: Uint8Array): void {
    const own = this.#memory.take(frame.length);
    own.set(frame);
    this.adopt(own);
  }

  /**
   * The other end has everything before `position`. False: it was never sent. A position that goes
   * back is ignored.
   */
  acknowledge(position: number): boolean {
    if (position > this.#sent) return false;
    this.#drop(position);
    return true;
  }

  /** A new pipe: what follows `position` is sent again. False: it can't be resumed from there. */
  rewind(position: number): boolean {
    if (position < this.#acked || position > this.#end) return false;
    this.#drop(position);
    this.#sent = position;
    this.#sentFrames = 0;
    return true;
  }

  /**
   * Hands out frames that are not sent on this pipe yet, until `maxBytes` are reached. After a
   * rewind into the middle of a frame its rest comes first, as a TAIL.
   */
  takeUnsent(maxBytes: number, out: Uint8Array[]): void {
    const limit = this.#sent + maxBytes;
    while (this.hasUnsent && this.#sent < limit) {
      const frame = this.#frames.at(this.#sentFrames);
      if (frame === undefined) return;
      const has = this.#sentFrames === 0 ? this.#sent - this.#firstStart : 0;
      if (has > 0) out.push(tailHeader(frame.length - has));
      pushPiece(out, has > 0 ? frame.subarray(has) : frame);
      this.#sent += frame.length - has;
      this.#sentFrames++;
    }
  }

  clear(): void {
    this.#frames.clear();
    this.#sentFrames = 0;
    this.#acked = this.#end;
    this.#sent = this.#end;
    this.#firstStart = this.#end;
  }

  #drop(position: number): void {
    if (position <= this.#acked) return;
    this.#acked = position;
    for (let frame = this.#frames.first(); frame !== undefined; frame = this.#frames.first()) {
      if (this.#firstStart + frame.length > position) return;
      this.#firstStart += frame.length;
      this.#frames.shift();
      this.#memory.giveBack(frame);
      this.#sentFrames = Math.max(0, this.#sentFrames - 1);
    }
  }
}
