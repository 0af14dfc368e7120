import { once } from 'node:events';
import net from 'node:net';

/** Bytes, or the end; when they are handed on, on `performance.now`'s scale. */
interface Held {
  readonly chunk: Buffer | undefined;
  readonly dueAt: number;
}

/**
 * A TCP proxy that stands for distance: what passes arrives later, in order, and a new connection
 * takes the round trip of TCP's own handshake before its first byte. Nothing else about it is
 * harmed, and its bandwidth has no limit.
 */
export class DelayedPath {
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();

  private constructor(target: { readonly host: string; readonly port: number }, oneWayMs: number) {
    this.#server = net.createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
      const far = net.connect({ ...target, noDelay: true, allowHalfOpen: true });
      const openAt = performance.now() + 2 * oneWayMs;
      lead(near, far, openAt, oneWayMs);
      lead(far, near, openAt - oneWayMs, oneWayMs);
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(socket);
        socket.on('error', () => other.destroy());
        socket.once('close', () => this.#sockets.delete(socket));
      }
    });
  }

  static async start(
    target: { readonly host: string; readonly port: number },
    roundTripMs: number,
  ): Promise<DelayedPath> {
    const path = new DelayedPath(target, roundTripMs / 2);
    path.#server.listen(0, '127.0.0.1');
    await once(path.#server, 'listening');
    return path;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

function lead(from: net.Socket, to: net.Socket, openAt: number, delayMs: number): void {
  const held: Held[] = [];
  let isWaiting = false;
  const wait = (): void => {
    const [first] = held;
    if (first === undefined || isWaiting) return;
    isWaiting = true;
    setTimeout(handOn, Math.max(0, first.dueAt - performance.now()));
  };
  const handOn = (): void => {
    isWaiting = false;
    while (held[0] !== undefined && held[0].dueAt <= performance.now() && !to.destroyed) {
      const { chunk } = held.shift() as Held;
      if (chunk === undefined) to.end();
      else to.write(chunk);
    }
    if (!to.destroyed) wait();
  };
  const hold = (chunk?: Buffer): void => {
    held.push({ chunk, dueAt: Math.max(performance.now(), openAt) + delayMs });
    wait();
  };
  from.on('data', hold);
  from.once('end', () => hold());
}
