/** Sessions that are left with as much on its way to them as the agent keeps. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { DaemonEnd } from '../../test/support/daemon-end.ts';

const CHUNK = Buffer.alloc(64 * 1024, 'epmux');

/** Sends to everybody, for as long as it is taken. */
export class Flood {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #onClosed: () => void = () => undefined;

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.once('close', () => {
        this.#sockets.delete(socket);
        this.#onClosed();
      });
      const send = (): void => {
        while (socket.writable && socket.write(CHUNK)) {}
      };
      socket.on('drain', send);
      send();
    });
  }

  static async start(): Promise<Flood> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Flood(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Resolves once fewer connections than that are open. */
  fewerThan(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.#onClosed = () => {
        if (this.#sockets.size < count) resolve();
      };
      this.#onClosed();
    });
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** A session that takes nothing of so many flooded streams, and whose connection is then cut. */
export async function abandonSession(
  secret: string,
  agentPort: number,
  streams: number,
): Promise<void> {
  const end = new DaemonEnd(secret);
  await end.dial(agentPort);
  const opened = Array.from({ length: streams }, () => end.driver.open('port/flood', 'bulk'));
  for (const stream of opened) stream.pause();
  await Promise.all(opened.map((stream) => stream.accepted));
  // What the agent has in flight is lost with the connection: it keeps it for the resume that never
  // comes.
  end.socket?.pause();
  await new Promise((resolve) => setTimeout(resolve, 50));
  end.socket?.resetAndDestroy();
  end.driver.detach();
  end.driver.goodbye({ code: 0, text: '' });
}
