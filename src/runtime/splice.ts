import type { EpmuxError } from '../protocol/errors.ts';
import type { BytePipe, PipeHandlers } from './pipe.ts';

/**
 * What one of two joined pipes tells, done to the other. One object and no functions of its own:
 * there may be thousands.
 */
class Direction implements PipeHandlers {
  readonly #from: BytePipe;
  readonly #to: BytePipe;
  #back: Direction | undefined;
  #ended = false;

  constructor(from: BytePipe, to: BytePipe) {
    this.#from = from;
    this.#to = to;
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  get copies(): boolean {
    return this.#to.copies === true;
  }

  /** Of two sockets neither gets memory of its own to read into. */
  get passes(): boolean {
    return this.#from.copies === true && this.#to.passes === true;
  }

  start(back: Direction): void {
    this.#back = back;
    this.#from.start(this);
  }

  onBytes(chunk: Uint8Array): void {
    if (!this.#to.write(chunk)) this.#from.pause();
  }

  onWritable(): void {
    this.#to.resume();
  }

  onEnd(): void {
    this.#ended = true;
    this.#to.end();
  }

  onClosed(error: EpmuxError | undefined): void {
    const isInOrder = error === undefined && this.#ended && this.#back?.hasEnded === true;
    if (!isInOrder) this.#to.close(error);
  }
}

/**
 * Joins two pipes, neither started yet: bytes, ends, back-pressure and failures of each reach the
 * other. When both directions have ended in order, each is left to bring out what it still holds.
 */
export function splice(a: BytePipe, b: BytePipe): void {
  const there = new Direction(a, b);
  const back = new Direction(b, a);
  there.start(back);
  back.start(there);
}
