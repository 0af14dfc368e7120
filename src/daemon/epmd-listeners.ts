import { once } from 'node:events';
import net from 'node:net';
import type { Logger } from '../runtime/logger.ts';
import { systemCode } from '../runtime/system-error.ts';
import type { Opened } from './addresses.ts';

export interface EpmdListenersOptions {
  /** A client has connected to this address. */
  readonly onClient: (socket: net.Socket, address: string) => void;
  readonly logger: Logger;
}

/** The addresses that the virtual epmd listens on, all on one port. */
export class EpmdListeners {
  readonly #options: EpmdListenersOptions;
  readonly #servers = new Map<string, net.Server>();
  #port = 0;

  constructor(options: EpmdListenersOptions) {
    this.#options = options;
  }

  /** 0 before the first address is open. */
  get port(): number {
    return this.#port;
  }

  /** Default: the port of the addresses before. 0: any that is free. */
  async open(address: string, port = this.#port): Promise<Opened> {
    if (this.#servers.has(address)) return 'open';
    const { onClient, logger } = this.#options;
    const options = { noDelay: true, allowHalfOpen: true };
    const server = net.createServer(options, (socket) => onClient(socket, address));
    try {
      await once(server.listen({ host: address, port, exclusive: true }), 'listening');
    } catch (error) {
      const reason = systemCode(error) ?? String(error);
      const level = reason === 'EADDRNOTAVAIL' ? 'debug' : 'warn';
      logger[level]('the virtual epmd can not listen there', { address, port, reason });
      return reason === 'EADDRINUSE' ? 'taken' : 'absent';
    }
    server.on('error', (error) => {
      logger.error('the virtual epmd failed to accept', { reason: error.message });
    });
    this.#servers.set(address, server);
    this.#port = (server.address() as net.AddressInfo).port;
    return 'open';
  }

  /** Takes no more connections on this address. */
  stopOn(address: string): void {
    this.#servers.get(address)?.close();
    this.#servers.delete(address);
  }

  /** Takes no more connections; settles when those that there are have ended. Idempotent. */
  async close(): Promise<void> {
    const closed = [...this.#servers.values()].map(
      (server) => new Promise<void>((done) => server.close(() => done())),
    );
    this.#servers.clear();
    await Promise.all(closed);
  }
}
