import { once } from 'node:events';
import net from 'node:net';
import { EpmuxError, messageOf } from '../protocol/errors.ts';
import type { Descriptors } from '../runtime/descriptors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { BytePipe } from '../runtime/pipe.ts';
import { duplexPipe } from '../runtime/socket-pipe.ts';

export interface NodePortOptions {
  /** The node's name, for logs. */
  readonly node: string;
  readonly address: string;
  /** Most at once; more are closed as they come. */
  readonly connections: number;
  readonly descriptors: Descriptors;
  /** Takes an accepted connection over. What it throws closes that connection only. */
  readonly onConnection: (local: BytePipe) => void;
  readonly logger: Logger;
}

/** The loopback listener that stands for one remote node. */
export class NodePort {
  readonly port: number;
  readonly #server: net.Server;

  private constructor(server: net.Server) {
    this.#server = server;
    this.port = (server.address() as net.AddressInfo).port;
  }

  /** On a free port. PORT_TAKEN when none can be had. */
  static async listen(options: NodePortOptions): Promise<NodePort> {
    const { node, address, connections, descriptors, logger, onConnection } = options;
    const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      const refusal = descriptors.refusal();
      if (refusal !== undefined) {
        logger.warn('a local connection is refused', { node, reason: refusal });
        socket.destroy();
        return;
      }
      try {
        onConnection(duplexPipe(socket, `a local connection to ${node}`));
      } catch (error) {
        const reason = messageOf(error);
        logger.warn('a local connection is refused', { node, reason });
        socket.destroy();
      }
    });
    server.maxConnections = connections;
    server.on('drop', () => {
      logger.warn('too many connections to a node', { node, limit: connections });
    });
    try {
      await once(server.listen({ host: address, port: 0 }), 'listening');
    } catch (cause) {
      const why = `no port for ${node} on ${address}: ${messageOf(cause)}`;
      throw new EpmuxError('PORT_TAKEN', why, { cause });
    }
    server.on('error', (error) => {
      logger.error('a node port failed to accept', { node, reason: error.message });
    });
    return new NodePort(server);
  }

  /** Accepts no more; connections that stand go on until they end. */
  close(): void {
    this.#server.close();
  }
}
