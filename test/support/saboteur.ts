import { once } from 'node:events';
import net from 'node:net';
import { type FlowDirection, Passage, type Weather } from './passage.ts';

const BOTH: readonly FlowDirection[] = ['up', 'down'];

/**
 * A TCP proxy that harms what passes through it, on command. A blackhole is silent: both sockets
 * stay open, nothing is read from either side (so TCP's own windows close as on a path that lost
 * its packets), and new connections are accepted by the kernel and go nowhere. Connections that
 * lived through a blackhole stay frozen when it ends, as TCP often does for long; only new ones
 * pass.
 */
export class Saboteur {
  readonly #server: net.Server;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #passages = new Set<Passage>();
  readonly #waiting = new Set<net.Socket>();
  readonly #weather: Weather = {
    latencyMs: 0,
    bytesPerSecond: Number.POSITIVE_INFINITY,
    pieceBytes: Number.POSITIVE_INFINITY,
  };
  #lost: readonly FlowDirection[] = [];
  #isHolding = false;
  /** How many connections were let through so far. */
  connections = 0;
  /** What went through so far. */
  readonly passed: Record<FlowDirection, number> = { up: 0, down: 0 };
  /**
   * For connections made from now on: one that carries nothing for so long is dropped, silently, as
   * proxies and NATs do.
   */
  idleLimitMs = Number.POSITIVE_INFINITY;

  private constructor(target: { readonly host: string; readonly port: number }) {
    this.#target = target;
    this.#server = net.createServer(
      { pauseOnConnect: true, allowHalfOpen: true, noDelay: true },
      (near) => this.#accept(near),
    );
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

  /** In either direction. */
  get passedBytes(): number {
    return this.passed.up + this.passed.down;
  }

  /** For each direction of each connection, from now on. */
  set bytesPerSecond(rate: number) {
    this.#weather.bytesPerSecond = rate;
  }

  /**
   * Of what passes from now on, also on connections that stand; what is not given is as on a path
   * without harm.
   */
  setWeather(weather: Partial<Weather>): void {
    const none = Number.POSITIVE_INFINITY;
    Object.assign(this.#weather, { latencyMs: 0, bytesPerSecond: none, pieceBytes: none });
    Object.assign(this.#weather, weather);
  }

  /** Resets every connection that passes now. */
  reset(): void {
    for (const passage of this.#passages) passage.reset();
  }

  /** From now on nothing passes, in these directions, and nothing is told to anybody. */
  blackhole(directions: readonly FlowDirection[] = BOTH): void {
    this.#lost = directions;
    for (const passage of this.#passages) passage.freeze(directions);
  }

  /** The path is back: for new connections, and for those that waited to be accepted. */
  heal(): void {
    this.#lost = [];
    for (const near of this.#waiting) this.#connect(near);
    this.#waiting.clear();
  }

  /** Nothing moves until `release`, and nothing is lost. */
  hold(): void {
    this.#isHolding = true;
    for (const passage of this.#passages) passage.hold();
  }

  release(): void {
    this.#isHolding = false;
    for (const passage of this.#passages) passage.release();
  }

  /**
   * Of every connection that passes now, the side that this direction leads to is told that the
   * other has ended.
   */
  halfClose(direction: FlowDirection): void {
    for (const passage of this.#passages) passage.halfClose(direction);
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.reset();
    for (const near of this.#waiting) near.destroy();
    await once(this.#server, 'close');
  }

  #accept(near: net.Socket): void {
    near.on('error', () => near.destroy());
    // A connection needs answers from the far side to come about.
    if (!this.#lost.includes('down')) {
      this.#connect(near);
      return;
    }
    this.#waiting.add(near);
    near.once('close', () => this.#waiting.delete(near));
  }

  #connect(near: net.Socket): void {
    const far = net.connect({ ...this.#target, allowHalfOpen: true, noDelay: true });
    const passage = new Passage(near, far, this.#weather, (direction, bytes) => {
      this.passed[direction] += bytes;
      idle?.refresh();
    });
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
    const idle = this.#freezeWhenIdle(passage);
    near.once('close', () => clearTimeout(idle));
    // The server hands its sockets over paused.
    near.resume();
    passage.freeze(this.#lost);
    if (this.#isHolding) passage.hold();
  }

  #freezeWhenIdle(passage: Passage): NodeJS.Timeout | undefined {
    if (this.idleLimitMs === Number.POSITIVE_INFINITY) return undefined;
    return setTimeout(() => passage.freeze(BOTH), this.idleLimitMs);
  }
}
