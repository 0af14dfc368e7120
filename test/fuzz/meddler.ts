import { once } from 'node:events';
import net from 'node:net';
import { FRAME_HEADER_BYTES } from '../../src/protocol/constants.ts';

/**
 * What it does to a frame: the frames that go on in its place. `held` is the one that it keeps back
 * for a while.
 */
export const DEEDS = {
  flip: (frame: Buffer, at: number) => {
    const flipped = Buffer.from(frame);
    const index = at % flipped.length;
    flipped[index] = (flipped[index] ?? 0) ^ (1 << (at % 8));
    return [flipped];
  },
  drop: () => [],
  repeat: (frame: Buffer) => [frame, frame],
  truncate: (frame: Buffer, at: number) => [frame.subarray(0, at % frame.length)],
  invent: (frame: Buffer) => [Buffer.from('4600000000000009', 'hex'), frame],
} as const satisfies Record<string, (frame: Buffer, at: number) => readonly Buffer[]>;

export type Deed = keyof typeof DEEDS | 'reorder';
export type Way = 'up' | 'down';

/**
 * A man in the middle of plain TCP: lets hello, proof and attach pass, then meddles with each
 * fourth frame in one direction.
 */
export class Meddler {
  readonly #server: net.Server;
  readonly #deed: Deed;
  readonly #way: Way;
  readonly #sockets = new Set<net.Socket>();
  readonly passed: Record<Way, Buffer[]> = { up: [], down: [] };
  /** Frames that it has changed. */
  meddled = 0;

  private constructor(agentPort: number, deed: Deed, way: Way) {
    this.#deed = deed;
    this.#way = way;
    this.#server = net.createServer({ noDelay: true }, (daemon) => {
      const agent = net.connect({ port: agentPort, host: '127.0.0.1', noDelay: true });
      this.#join(daemon, agent, 'up');
      this.#join(agent, daemon, 'down');
    });
  }

  static async start(agentPort: number, deed: Deed, way: Way): Promise<Meddler> {
    const meddler = new Meddler(agentPort, deed, way);
    meddler.#server.listen(0, '127.0.0.1');
    await once(meddler.#server, 'listening');
    return meddler;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(from: net.Socket, to: net.Socket, way: Way): void {
    this.#sockets.add(from);
    const frames = new Frames();
    let count = 0;
    let held: Buffer | undefined;
    from.on('error', () => to.destroy());
    from.on('close', () => to.destroy());
    from.on('data', (chunk: Buffer) => {
      this.passed[way].push(chunk);
      for (const frame of frames.push(chunk)) {
        const isTurn = way === this.#way && frames.begun && ++count % 4 === 0;
        if (isTurn) this.meddled += 1;
        if (isTurn && this.#deed === 'reorder') held = frame;
        else {
          const pieces =
            isTurn && this.#deed !== 'reorder' ? DEEDS[this.#deed](frame, count) : [frame];
          for (const piece of [...pieces, ...(held === undefined ? [] : [held])]) to.write(piece);
          held = undefined;
        }
      }
    });
  }
}

/**
 * Divides a direction: what stands before the first frame behind the hello and its two frames is
 * given as it comes.
 */
class Frames {
  #held = Buffer.alloc(0);
  #hello = true;
  #seen = 0;

  /** Proof and attach, or its answer, are through. */
  get begun(): boolean {
    return this.#seen > 2;
  }

  *push(chunk: Buffer): Generator<Buffer> {
    this.#held = Buffer.concat([this.#held, chunk]);
    for (;;) {
      const end = this.#hello ? this.#helloEnd() : this.#frameEnd();
      if (end === undefined || this.#held.length < end) return;
      const piece = this.#held.subarray(0, end);
      this.#held = this.#held.subarray(end);
      if (!this.#hello) this.#seen += 1;
      this.#hello = false;
      yield piece;
    }
  }

  #helloEnd(): number | undefined {
    return this.#held.length < 46 ? undefined : 46 + this.#held.readUInt16BE(44);
  }

  #frameEnd(): number | undefined {
    if (this.#held.length < FRAME_HEADER_BYTES) return undefined;
    return FRAME_HEADER_BYTES + this.#held.readUIntBE(1, 3);
  }
}
