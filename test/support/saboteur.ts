import { once } from 'node:events';
import net from 'node:net';
import { Transform } from 'node:stream';

type Mode = 'pass' | 'blackhole';

interface Passage {
  readonly near: net.Socket;
  readonly far: net.Socket;
}

/**
 * A TCP proxy that harms what passes through it, on command. A blackhole is silent: both sockets stay open, nothing is read
 * from either side (so TCP's own windows close as on a path that lost its packets), and new connections are accepted by the kernel and go nowhere.
 * Connections that lived through a blackhole stay frozen when it ends, as TCP often does for long; only new ones pass.
 */
export class Saboteur {
  readonly #server: net.Server;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #passages = new Set<Passage>();
  readonly #waiting = new Set<net.Socket>();
  #mode: Mode = 'pass';
  /** How many connections were let through so far. */
  connections = 0;
  /** What went through in either direction so far. */
  passedBytes = 0;
  /** For connections made from now on, and for each direction of each. */
  bytesPerSecond = Number.POSITIVE_INFINITY;
  /** For connections made from now on: one that carries nothing for so long is dropped, silently, as proxies and NATs do. */
  idleLimitMs = Number.POSITIVE_INFINITY;

  private constructor(target: { readonly host: string; readonly port: number }) {
    this.#target = target;
    this.#server = net.createServer({ pauseOnConnect: true }, (near) => this.#accept(near));
  }

  static async start(target: { host: string; port: number }): Promise<Saboteur> {
    const saboteur = new Saboteur(target);
    saboteur.#server.listen(0, '127.0.0.1');
    await once(saboteur.#server, 'listening');
    return saboteur;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** Resets every connection that passes now. */
  reset(): void {
    for (const { near, far } of this.#passages) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
  }

  /** From now on nothing passes and nothing is told to anybody. */
  blackhole(): void {
    this.#mode = 'blackhole';
    for (const passage of this.#passages) freeze(passage);
  }

  /** The path is back: for new connections, and for those that waited to be accepted. */
  heal(): void {
    this.#mode = 'pass';
    for (const near of this.#waiting) this.#connect(near);
    this.#waiting.clear();
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.reset();
    for (const near of this.#waiting) near.destroy();
    await once(this.#server, 'close');
  }

  #accept(near: net.Socket): void {
    near.on('error', () => near.destroy());
    if (this.#mode === 'pass') {
      this.#connect(near);
      return;
    }
    this.#waiting.add(near);
    near.once('close', () => this.#waiting.delete(near));
  }

  #connect(near: net.Socket): void {
    const far = net.connect(this.#target);
    const passage = { near, far };
    this.connections += 1;
    this.#passages.add(passage);
    const end = () => {
      this.#passages.delete(passage);
      near.destroy();
      far.destroy();
    };
    far.on('error', end);
    near.once('close', end);
    far.once('close', end);
    const timer = this.#freezeWhenIdle(passage);
    near.once('close', () => clearTimeout(timer));
    near.pipe(this.#pace(timer)).pipe(far);
    far.pipe(this.#pace(timer)).pipe(near);
  }

  #freezeWhenIdle(passage: Passage): NodeJS.Timeout | undefined {
    if (this.idleLimitMs === Number.POSITIVE_INFINITY) return undefined;
    return setTimeout(() => freeze(passage), this.idleLimitMs);
  }

  #pace(idle: NodeJS.Timeout | undefined): Transform {
    const { bytesPerSecond } = this;
    return new Transform({
      transform: (chunk: Uint8Array, _encoding, done) => {
        this.passedBytes += chunk.length;
        idle?.refresh();
        if (bytesPerSecond === Number.POSITIVE_INFINITY) done(null, chunk);
        else setTimeout(() => done(null, chunk), (chunk.length / bytesPerSecond) * 1_000);
      },
    });
  }
}

/** Both sockets stay open, and nothing is read from either any more. */
function freeze({ near, far }: Passage): void {
  near.unpipe();
  far.unpipe();
  near.pause();
  far.pause();
}
