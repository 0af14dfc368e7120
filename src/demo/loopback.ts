import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { LOOPBACK } from '../runtime/address.ts';

const SECOND_LOOPBACK = '127.0.0.2';

/** A listener on a free loopback port that knows its connections. */
export interface LoopbackServer {
  readonly port: number;
  readonly connections: ReadonlySet<Socket>;
  /** No listener and no connections any more. */
  close(): Promise<void>;
}

/** A connection's error ends that connection only; it always has a `close` event. */
export async function listenOnLoopback(
  onConnection: (socket: Socket) => void,
  host: string = LOOPBACK,
): Promise<LoopbackServer> {
  const connections = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    connections.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => connections.delete(socket));
    onConnection(socket);
  });
  server.listen(0, host);
  await once(server, 'listening');
  return {
    port: portOf(server),
    connections,
    async close() {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      for (const socket of connections) socket.destroy();
      await closed;
    },
  };
}

/** A loopback port that was free a moment ago, for programs that can't choose one themselves. */
export async function freePort(): Promise<number> {
  const server = await listenOnLoopback((socket) => socket.destroy());
  await server.close();
  return server.port;
}

/** Whether 127.0.0.2 and the like are there: on macOS only the first one is. */
export async function hasManyAddresses(): Promise<boolean> {
  try {
    const server = await listenOnLoopback((socket) => socket.destroy(), SECOND_LOOPBACK);
    await server.close();
    return true;
  } catch {
    return false;
  }
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('not a TCP listener');
  return address.port;
}
