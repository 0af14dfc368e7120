/** One connection through the saboteur: two flows, each harmed on its own. */
import type net from 'node:net';

/** From the near side (who dialled) to the far one, and back. */
export type FlowDirection = 'up' | 'down';

/** What everything that passes suffers, in each direction, from now on. */
export interface Weather {
  /** Added, one way. */
  latencyMs: number;
  bytesPerSecond: number;
  /** Bytes a write: 1 hands every byte on by itself. */
  pieceBytes: number;
}

/** What one flow holds before it stops reading: more than any path of a test has under way. */
const MAX_HELD_BYTES = 1 << 20;

interface Held {
  readonly chunk: Uint8Array;
  readonly dueAt: number;
}

/**
 * One direction. Frozen: reads nothing and says nothing, so TCP's own windows close. Held: the
 * same, until released.
 */
class Flow {
  readonly #from: net.Socket;
  readonly #to: net.Socket;
  readonly #weather: Weather;
  readonly #onBytes: (bytes: number) => void;
  readonly #queue: Held[] = [];
  #heldBytes = 0;
  #ended = false;
  #isPumping = false;
  #isHeld = false;
  #isFrozen = false;
  #isDiscarding = false;

  constructor(
    from: net.Socket,
    to: net.Socket,
    weather: Weather,
    onBytes: (bytes: number) => void,
  ) {
    this.#from = from;
    this.#to = to;
    this.#weather = weather;
    this.#onBytes = onBytes;
    from.on('data', (chunk: Uint8Array) => this.#take(chunk));
    from.once('end', () => {
      this.#ended = true;
      this.#pump();
    });
  }

  freeze(): void {
    this.#isFrozen = true;
    this.#from.pause();
  }

  hold(): void {
    this.#isHeld = true;
    this.#from.pause();
  }

  release(): void {
    this.#isHeld = false;
    if (!this.#isFrozen) this.#from.resume();
    this.#pump();
  }

  /** Its end is told to the far side now; what still comes is thrown away. */
  end(): void {
    this.#isDiscarding = true;
    this.#to.end();
  }

  #take(chunk: Uint8Array): void {
    if (this.#isDiscarding) return;
    this.#onBytes(chunk.length);
    this.#queue.push({ chunk, dueAt: performance.now() + this.#weather.latencyMs });
    this.#heldBytes += chunk.length;
    if (this.#heldBytes >= MAX_HELD_BYTES) this.#from.pause();
    this.#pump();
  }

  get #isStopped(): boolean {
    return this.#isFrozen || this.#isHeld || this.#isDiscarding || this.#to.destroyed;
  }

  #pump(): void {
    if (!this.#isPumping) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isPumping = true;
    try {
      await this.#handOn();
    } finally {
      this.#isPumping = false;
    }
  }

  async #handOn(): Promise<void> {
    while (!this.#isStopped) {
      const next = this.#queue[0];
      if (next === undefined) break;
      await passing(next.dueAt - performance.now());
      if (this.#isStopped) return;
      this.#queue.shift();
      await this.#write(next.chunk);
      this.#heldBytes -= next.chunk.length;
      if (this.#heldBytes < MAX_HELD_BYTES / 2 && !this.#isStopped) this.#from.resume();
    }
    if (this.#ended && !this.#isStopped) this.#to.end();
  }

  async #write(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length; ) {
      const { pieceBytes, bytesPerSecond } = this.#weather;
      const piece = chunk.subarray(at, at + pieceBytes);
      at += piece.length;
      await passing((piece.length / bytesPerSecond) * 1_000);
      if (this.#to.destroyed || this.#isDiscarding) return;
      if (!this.#to.write(piece)) await this.#drained();
      // Each piece is to leave the machine by itself.
      if (pieceBytes < chunk.length) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#to.off('drain', done);
        this.#to.off('close', done);
        resolve();
      };
      this.#to.on('drain', done);
      this.#to.on('close', done);
    });
  }
}

function passing(ms: number): Promise<void> | undefined {
  if (!(ms > 0)) return undefined;
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export class Passage {
  readonly near: net.Socket;
  readonly far: net.Socket;
  readonly #flows: Record<FlowDirection, Flow>;

  constructor(
    near: net.Socket,
    far: net.Socket,
    weather: Weather,
    onBytes: (direction: FlowDirection, bytes: number) => void,
  ) {
    this.near = near;
    this.far = far;
    this.#flows = {
      up: new Flow(near, far, weather, (bytes) => onBytes('up', bytes)),
      down: new Flow(far, near, weather, (bytes) => onBytes('down', bytes)),
    };
  }

  reset(): void {
    this.near.resetAndDestroy();
    this.far.resetAndDestroy();
  }

  freeze(directions: readonly FlowDirection[]): void {
    for (const direction of directions) this.#flows[direction].freeze();
  }

  hold(): void {
    for (const flow of Object.values(this.#flows)) flow.hold();
  }

  release(): void {
    for (const flow of Object.values(this.#flows)) flow.release();
  }

  /** One side is told that the other has ended, and goes on being heard. */
  halfClose(direction: FlowDirection): void {
    this.#flows[direction].end();
  }
}
