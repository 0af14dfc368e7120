/**
 * `node path.mjs PORT ROUND_TRIP_MS [BYTES_A_SECOND]`: a path to a loopback port that delays each
 * direction by half of the round trip and, when told a rate, passes no more than that, from a queue
 * that is bounded. Prints its port.
 *
 * Nothing is ever lost: a full queue pushes back, as a TCP connection does whose window is full.
 */
import { connect, createServer, type Socket } from 'node:net';
import { serveUntilStdinEnds } from './load/serve.ts';

const [, , port, roundTrip, rate] = process.argv;
const to = Number(port);
const delayMs = Number(roundTrip) / 2;
/** Shared by all connections of a direction, as on a line. */
const bytesPerMs = rate === undefined ? Number.POSITIVE_INFINITY : Number(rate) / 1_000;
/** What waits before the line, of all connections together. */
const QUEUE_BYTES = 1_000_000;
/**
 * What one connection may have on the way in one direction: a window of 4 MiB a round trip, as
 * Linux allows by default.
 */
const WINDOW_BYTES = 2 * 1024 * 1024;
const TICK_MS = 1;

interface Piece {
  readonly bytes: Buffer;
  readonly arrivesAt: number;
}

/** One direction of the line. */
class Line {
  /** When the last byte handed over will have left the queue. */
  #freeAt = 0;
  readonly #paused = new Set<Hop>();

  get full(): boolean {
    if (bytesPerMs === Number.POSITIVE_INFINITY) return false;
    return (this.#freeAt - performance.now()) * bytesPerMs >= QUEUE_BYTES;
  }

  /** When these bytes arrive at the other end. */
  schedule(bytes: number): number {
    const now = performance.now();
    if (bytesPerMs === Number.POSITIVE_INFINITY) return now + delayMs;
    this.#freeAt = Math.max(now, this.#freeAt) + bytes / bytesPerMs;
    return this.#freeAt + delayMs;
  }

  wait(hop: Hop): void {
    this.#paused.add(hop);
  }

  /** While anybody waits something is on the way, so this is called again and again. */
  onDelivered(): void {
    if (this.#paused.size === 0 || this.full) return;
    const waiting = [...this.#paused];
    this.#paused.clear();
    for (const hop of waiting) hop.resume();
  }
}

/** One direction of one connection. */
class Hop {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #line: Line;
  #pieces: Piece[] = [];
  #onTheWay = 0;
  #ended = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(from: Socket, onward: Socket, line: Line) {
    this.#from = from;
    this.#to = onward;
    this.#line = line;
    from.on('data', (bytes: Buffer) => this.#take(bytes));
    from.on('end', () => {
      this.#ended = true;
      this.#deliver();
    });
    onward.on('drain', () => this.#deliver());
  }

  resume(): void {
    if (this.#onTheWay < WINDOW_BYTES && !this.#line.full) this.#from.resume();
  }

  #take(bytes: Buffer): void {
    this.#onTheWay += bytes.length;
    this.#pieces.push({ bytes, arrivesAt: this.#line.schedule(bytes.length) });
    if (this.#onTheWay >= WINDOW_BYTES) this.#from.pause();
    if (this.#line.full) {
      this.#from.pause();
      this.#line.wait(this);
    }
    this.#arm();
  }

  #deliver(): void {
    const now = performance.now();
    let delivered = 0;
    let at = 0;
    for (; at < this.#pieces.length && !this.#to.writableNeedDrain; at += 1) {
      const piece = this.#pieces[at];
      if (piece === undefined || piece.arrivesAt > now) break;
      delivered += piece.bytes.length;
      this.#to.write(piece.bytes);
    }
    if (at > 0) this.#pieces = this.#pieces.slice(at);
    if (delivered > 0) {
      this.#onTheWay -= delivered;
      this.#line.onDelivered();
      this.resume();
    }
    if (this.#ended && this.#pieces.length === 0) this.#to.end();
    this.#arm();
  }

  #arm(): void {
    if (this.#timer !== undefined || this.#pieces.length === 0 || this.#to.writableNeedDrain)
      return;
    const wait = (this.#pieces[0]?.arrivesAt ?? 0) - performance.now();
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#deliver();
      },
      Math.max(TICK_MS, Math.floor(wait)),
    );
  }
}

const up = new Line();
const down = new Line();

serveUntilStdinEnds(
  createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    const far = connect({ port: to, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    near.on('error', () => far.destroy()).on('close', () => far.destroy());
    far.on('error', () => near.destroy()).on('close', () => near.destroy());
    new Hop(near, far, up);
    new Hop(far, near, down);
  }),
);
