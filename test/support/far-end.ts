import { EventEmitter, once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** A TCP server on loopback whose connections the test takes into its own hands, one by one. */
export class FarEnd {
  readonly #server: Server;
  readonly #waiting: Socket[] = [];
  readonly #open = new Set<Socket>();
  readonly #news = new EventEmitter();

  private constructor() {
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.#open.add(socket);
      socket.on('error', () => socket.destroy());
      socket.once('close', () => {
        this.#open.delete(socket);
        this.#news.emit('news');
      });
      this.#waiting.push(socket);
      this.#news.emit('news');
    });
  }

  static async start(): Promise<FarEnd> {
    const far = new FarEnd();
    far.#server.listen(0, '127.0.0.1');
    await once(far.#server, 'listening');
    return far;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections that are open at this moment. */
  get connections(): number {
    return this.#open.size;
  }

  /** The next connection; nobody has read from it yet. */
  async next(): Promise<Socket> {
    for (;;) {
      const socket = this.#waiting.shift();
      if (socket !== undefined) return socket;
      await once(this.#news, 'news');
    }
  }

  /** Until the other side has ended or lost every connection; ends this side of each then. */
  async deserted(): Promise<void> {
    const asked = new Set<Socket>();
    while (this.#open.size > 0) {
      for (const socket of this.#open) {
        if (asked.has(socket)) continue;
        asked.add(socket);
        socket.resume();
        if (socket.readableEnded) socket.end();
        else socket.once('end', () => socket.end());
      }
      await once(this.#news, 'news');
    }
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#open) socket.destroy();
  }
}
