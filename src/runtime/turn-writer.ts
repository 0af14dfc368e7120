import process from 'node:process';
import type { Writable } from 'node:stream';
import { Pieces } from '../erlang/bytes.ts';
import { afterRead, type Flushing, isLending } from './lent-reads.ts';
import { WaterMarks } from './water-marks.ts';

/**
 * So many writes wait as they are; node keeps a record of each, and each holds the chunk that it is
 * a part of. Further ones are copied together.
 */
const MAX_WRITES = 32;
const BLOCK_BYTES = 16_384;

/** Told when there is room again after `write` said false. */
export interface RoomListener {
  onRoom(): void;
}

/**
 * Writes to a stream so that all that is written in one turn of the event loop leaves as one, and
 * what was read into lent memory before that is lent again.
 */
export class TurnWriter implements Flushing {
  readonly #writable: Writable;
  readonly #listener: RoomListener;
  readonly #marks = new WaterMarks();
  /** When what was written in this turn leaves at the latest. */
  #leaves: 'not written' | 'after read' | 'after turn' = 'not written';
  /** The one write of this turn: without another it leaves as it is, which is cheaper. */
  #only: Uint8Array | undefined;
  #corked = false;
  /** Something written before this turn is not out. */
  #isBehind = false;
  #writes = 0;
  /** One for all writes that wait, and not one for each. */
  #onWritten: (() => void) | undefined;
  #held: Pieces | undefined;

  constructor(writable: Writable, listener: RoomListener) {
    this.#writable = writable;
    this.#listener = listener;
  }

  /** Not out of this process yet. */
  get bytes(): number {
    return this.#writable.writableLength + (this.#held?.length ?? 0) + (this.#only?.length ?? 0);
  }

  /** Takes all of it. False: it would be well to wait for `onRoom`. */
  write(chunk: Uint8Array): boolean {
    const isFirst = this.#leaves === 'not written';
    if (isFirst) this.#isBehind = this.bytes > 0;
    this.#bindToTurn();
    if (isFirst && !this.#isBehind) this.#only = chunk;
    else this.#add(chunk);
    return this.#marks.onWritten(this.bytes);
  }

  /** Ends the stream behind all that was written. */
  end(): void {
    this.#sendOnly();
    this.#sendHeld();
    this.#writable.end();
  }

  /** What has not reached the stream yet never will. */
  drop(): void {
    this.#only = undefined;
    this.#held = undefined;
  }

  flush(): boolean {
    this.#leaves = 'not written';
    if (this.#corked) this.#writable.uncork();
    this.#corked = false;
    this.#sendOnly();
    return this.bytes > 0;
  }

  /** Who writes before a read has come to its end may be lent what it writes. */
  #bindToTurn(): void {
    if (this.#leaves === 'after read') return;
    if (afterRead(this)) this.#leaves = 'after read';
    else if (this.#leaves === 'not written') {
      this.#leaves = 'after turn';
      process.nextTick(flush, this);
    }
  }

  #add(chunk: Uint8Array): void {
    if (!this.#corked) this.#writable.cork();
    this.#corked = true;
    this.#sendOnly();
    // A few bytes that wait are not to hold all the memory that they were read into.
    const isCopied = chunk.length < BLOCK_BYTES && isLending() && this.#isBehind;
    if (this.#writes < MAX_WRITES) this.#send(isCopied ? new Uint8Array(chunk) : chunk);
    else this.#hold(chunk);
  }

  #send(chunk: Uint8Array): void {
    this.#writes += 1;
    this.#onWritten ??= () => this.#written();
    this.#writable.write(chunk, this.#onWritten);
  }

  #sendOnly(): void {
    const only = this.#only;
    this.#only = undefined;
    if (only !== undefined) this.#send(only);
  }

  #hold(chunk: Uint8Array): void {
    this.#held ??= new Pieces();
    this.#held.push(chunk);
    if (this.#held.length >= BLOCK_BYTES) this.#sendHeld();
  }

  #sendHeld(): void {
    const bytes = this.#held?.take();
    this.#held = undefined;
    if (bytes !== undefined) this.#send(bytes);
  }

  #written(): void {
    this.#writes -= 1;
    if (this.#writes === 0) this.#onWritten = undefined;
    if (this.#writes < MAX_WRITES) this.#sendHeld();
    if (this.#marks.onRoom(this.bytes)) this.#listener.onRoom();
  }
}

function flush(writer: TurnWriter): void {
  writer.flush();
}
