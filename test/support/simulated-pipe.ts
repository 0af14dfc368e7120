import type { Timeline } from './timeline.ts';

export interface PathOptions {
  /** One way. */
  readonly latencyMs: number;
  readonly bytesPerMs: number;
  /**
   * Bytes that may wait at the path's narrow place before `room` is 0: kernel, SSH and router taken
   * together.
   */
  readonly roomBytes: number;
}

export type Direction = 'toAgent' | 'toDaemon';

interface Receiver {
  receive(chunk: Uint8Array): void;
  onRoom(): void;
}

interface Sinks {
  readonly toAgent: Receiver;
  readonly toDaemon: Receiver;
  onDead(): void;
}

/** Large writes arrive in pieces, as from a socket. */
const PIECE_BYTES = 16_384;

/** One direction: a narrow place with a queue, then the latency. */
class Wire {
  readonly #timeline: Timeline;
  readonly #path: PathOptions;
  #freeAt = 0;
  waiting = 0;
  /** Every byte that entered. */
  written = 0;

  constructor(timeline: Timeline, path: PathOptions) {
    this.#timeline = timeline;
    this.#path = path;
  }

  send(chunk: Uint8Array, arrive: (piece: Uint8Array) => void, left: () => void): void {
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
      const piece = chunk.subarray(at, at + PIECE_BYTES);
      this.waiting += piece.length;
      this.written += piece.length;
      this.#freeAt =
        Math.max(this.#freeAt, this.#timeline.now) + piece.length / this.#path.bytesPerMs;
      this.#timeline.at(this.#freeAt, () => {
        this.waiting -= piece.length;
        left();
      });
      this.#timeline.at(this.#freeAt + this.#path.latencyMs, () => arrive(piece));
    }
  }
}

export class SimulatedPipe {
  readonly #path: PathOptions;
  readonly #sinks: Sinks;
  readonly #wires: Record<Direction, Wire>;
  readonly #delivered: Record<Direction, number> = { toAgent: 0, toDaemon: 0 };
  #cut: { direction: Direction; afterBytes: number } | undefined;
  #swallows = false;
  isAlive = true;

  constructor(timeline: Timeline, path: PathOptions, sinks: Sinks) {
    this.#path = path;
    this.#sinks = sinks;
    this.#wires = { toAgent: new Wire(timeline, path), toDaemon: new Wire(timeline, path) };
  }

  room(direction: Direction): number {
    return this.#path.roomBytes - this.#wires[direction].waiting;
  }

  written(direction: Direction): number {
    return this.#wires[direction].written;
  }

  delivered(direction: Direction): number {
    return this.#delivered[direction];
  }

  send(direction: Direction, chunk: Uint8Array): void {
    if (!this.isAlive) return;
    const sender = this.#sinks[direction === 'toAgent' ? 'toDaemon' : 'toAgent'];
    this.#wires[direction].send(
      chunk,
      (piece) => this.#arrive(direction, piece),
      () => {
        if (this.isAlive) sender.onRoom();
      },
    );
  }

  cutAfter(direction: Direction, afterBytes: number): void {
    this.#cut = { direction, afterBytes };
  }

  swallow(): void {
    this.#swallows = true;
  }

  kill(): void {
    if (!this.isAlive) return;
    this.isAlive = false;
    this.#sinks.onDead();
  }

  #arrive(direction: Direction, piece: Uint8Array): void {
    if (!this.isAlive || this.#swallows) return;
    const cut = this.#cut?.direction === direction ? this.#cut : undefined;
    const left = (cut?.afterBytes ?? Number.POSITIVE_INFINITY) - this.#delivered[direction];
    const part = piece.length > left ? piece.subarray(0, left) : piece;
    this.#delivered[direction] += part.length;
    if (part.length > 0) this.#sinks[direction].receive(part);
    if (part.length === left) this.kill();
  }
}
