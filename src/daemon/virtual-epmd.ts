import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import type { EpmdName, EpmdNode, EpmdRequest } from '../erlang/epmd.ts';
import {
  EpmdRequestParser,
  encodeAliveAnswer,
  encodeNamesAnswer,
  encodePortAnswer,
} from '../erlang/epmd-server.ts';
import { EpmuxError, messageOf } from '../protocol/errors.ts';
import { type Address, LOOPBACK } from '../runtime/address.ts';
import type { Clock } from '../runtime/clock.ts';
import { type AskOptions, askNames, askNode } from '../runtime/epmd-client.ts';
import type { Logger } from '../runtime/logger.ts';
import { systemCode } from '../runtime/system-error.ts';
import type { Opened } from './addresses.ts';
import type { DaemonLimits } from './limits.ts';

/** Name already in use, or no room. */
const REFUSED = 1;

/** The remote nodes, by the local address that stands for their host. */
export interface EpmdNames {
  epmdNode(address: string, short: string): EpmdNode | undefined;
  epmdNames(address: string): readonly EpmdName[];
}

export interface VirtualEpmdOptions {
  /** The port that shells were told before; another one is taken when it is not free. */
  readonly port: number | undefined;
  readonly names: EpmdNames;
  /** The machine's own epmd. */
  readonly upstream: Address;
  readonly limits: EpmdLimits;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** `epmdRequestMs`: for the whole request, and for the whole answer to be taken. */
type EpmdLimits = Pick<DaemonLimits, 'epmdClients' | 'epmdNodes' | 'epmdRequestMs'>;

interface LocalNode {
  readonly node: EpmdNode;
  readonly socket: net.Socket;
}

/**
 * What local nodes take for epmd (docs/daemon.md). On 127.0.0.N it knows the nodes of the one remote host that N stands for; on 127.0.0.1 the
 * local nodes that registered here, the remote ones published there, and whatever the machine's own epmd knows.
 */
export class VirtualEpmd {
  readonly #options: VirtualEpmdOptions;
  readonly #limits: EpmdLimits;
  readonly #servers = new Map<string, net.Server>();
  readonly #clients = new Set<net.Socket>();
  readonly #local = new Map<string, LocalNode>();
  #port = 0;
  #refusedBefore = false;

  private constructor(options: VirtualEpmdOptions) {
    this.#options = options;
    this.#limits = options.limits;
  }

  /** Fails with PORT_TAKEN when no port at all can be had on 127.0.0.1. */
  static async start(options: VirtualEpmdOptions): Promise<VirtualEpmd> {
    const epmd = new VirtualEpmd(options);
    for (const port of [options.port ?? 0, 0]) {
      if ((await epmd.#tryListen(LOOPBACK, port)) === 'open') return epmd;
    }
    throw new EpmuxError('PORT_TAKEN', 'no port for the virtual epmd can be had on 127.0.0.1');
  }

  get port(): number {
    return this.#port;
  }

  /** Whether a local node of this name is registered here. */
  hasLocal(name: string): boolean {
    return this.#local.has(name);
  }

  /** Answers on this address too, on the same port. */
  async listenOn(address: string): Promise<Opened> {
    return this.#servers.has(address) ? 'open' : this.#tryListen(address, this.#port);
  }

  /** Takes no more connections on this address. */
  stopOn(address: string): void {
    this.#servers.get(address)?.close();
    this.#servers.delete(address);
  }

  /** Ends every connection with it, registrations included. Idempotent. */
  async close(): Promise<void> {
    const closed = [...this.#servers.values()].map(
      (server) => new Promise<void>((done) => server.close(() => done())),
    );
    this.#servers.clear();
    for (const socket of this.#clients) socket.destroy();
    await Promise.all(closed);
  }

  async #tryListen(address: string, port: number): Promise<Opened> {
    const options = { noDelay: true, allowHalfOpen: true };
    const server = net.createServer(options, (socket) => this.#accept(socket, address));
    try {
      await once(server.listen({ host: address, port, exclusive: true }), 'listening');
    } catch (error) {
      const reason = systemCode(error) ?? String(error);
      const level = reason === 'EADDRNOTAVAIL' ? 'debug' : 'warn';
      this.#options.logger[level]('the virtual epmd can not listen there', {
        address,
        port,
        reason,
      });
      return reason === 'EADDRINUSE' ? 'taken' : 'absent';
    }
    server.on('error', (error) => {
      this.#options.logger.error('the virtual epmd failed to accept', { reason: error.message });
    });
    this.#servers.set(address, server);
    this.#port = (server.address() as net.AddressInfo).port;
    return 'open';
  }

  #accept(socket: net.Socket, address: string): void {
    socket.on('error', () => socket.destroy());
    const { epmdClients, epmdRequestMs } = this.#limits;
    if (this.#clients.size >= epmdClients + this.#local.size) {
      if (!this.#refusedBefore) {
        this.#options.logger.warn('too many clients of the virtual epmd', { limit: epmdClients });
      }
      this.#refusedBefore = true;
      socket.destroy();
      return;
    }
    this.#refusedBefore = false;
    this.#clients.add(socket);
    const { clock } = this.#options;
    const cancelLimit = clock.wakeAt(clock.now() + epmdRequestMs, () => socket.destroy());
    socket.once('close', () => {
      cancelLimit();
      this.#clients.delete(socket);
    });
    this.#read(socket, address, cancelLimit);
  }

  #read(socket: net.Socket, address: string, stays: () => void): void {
    const parser = new EpmdRequestParser();
    let answered = Promise.resolve();
    socket.on('data', (chunk: Buffer) => {
      try {
        const request = parser.push(chunk);
        if (request === undefined) return;
        answered = this.#answer(request, socket, address, stays).catch((error: unknown) =>
          this.#drop(socket, error),
        );
      } catch (error) {
        this.#drop(socket, error);
      }
    });
    // Who asks and closes its half at once still gets the answer, as from a real epmd.
    socket.once('end', () => void answered.then(() => socket.end()));
  }

  #drop(socket: net.Socket, error: unknown): void {
    const reason = messageOf(error);
    this.#options.logger.warn('a client of the virtual epmd is closed', { reason });
    socket.destroy();
  }

  async #answer(
    request: EpmdRequest,
    socket: net.Socket,
    address: string,
    stays: () => void,
  ): Promise<void> {
    switch (request.kind) {
      case 'alive':
        await this.#register(request.node, socket, address, stays);
        return;
      case 'port':
        socket.end(encodePortAnswer(await this.#find(address, request.name)));
        return;
      case 'names':
        socket.end(
          encodeNamesAnswer({ epmdPort: this.#port, names: await this.#allNames(address) }),
        );
        return;
      case 'kill':
        this.#options.logger.warn('somebody asked the virtual epmd to end itself: refused');
        socket.end('NO');
        return;
      case 'stop':
      case 'dump':
        socket.end();
    }
  }

  async #find(address: string, name: string): Promise<EpmdNode | undefined> {
    if (address !== LOOPBACK) return this.#options.names.epmdNode(address, name);
    return (
      this.#local.get(name)?.node ??
      this.#options.names.epmdNode(address, name) ??
      (await this.#askUpstream((epmd, by) => askNode(epmd, name, by)))
    );
  }

  async #allNames(address: string): Promise<readonly EpmdName[]> {
    const remote = this.#options.names.epmdNames(address);
    if (address !== LOOPBACK) return remote;
    const local = [...this.#local.values()].map(({ node: { name, port } }) => ({ name, port }));
    const upstream = (await this.#askUpstream(askNames)) ?? [];
    const merged = new Map<string, EpmdName>();
    for (const entry of [...local, ...remote, ...upstream]) {
      if (!merged.has(entry.name)) merged.set(entry.name, entry);
    }
    return [...merged.values()];
  }

  /** The machine may have no epmd, or one that hangs: then it knows nothing. */
  async #askUpstream<T>(
    ask: (epmd: Address, options: AskOptions) => Promise<T>,
  ): Promise<T | undefined> {
    const { upstream, clock, logger } = this.#options;
    if (upstream.port === this.#port) return undefined;
    try {
      return await ask(upstream, { clock });
    } catch (error) {
      if (!(error instanceof EpmuxError)) throw error;
      logger.debug("the machine's own epmd does not answer", { reason: error.message });
      return undefined;
    }
  }

  get #hasRoom(): boolean {
    return this.#local.size < this.#limits.epmdNodes;
  }

  async #register(
    node: EpmdNode,
    socket: net.Socket,
    address: string,
    stays: () => void,
  ): Promise<void> {
    const free =
      address === LOOPBACK &&
      this.#hasRoom &&
      (await this.#find(address, node.name)) === undefined &&
      // Another may have taken the name, or the last place, while the machine's epmd was asked.
      !this.#local.has(node.name) &&
      this.#hasRoom;
    if (!free || socket.destroyed) {
      socket.end(encodeAliveAnswer(node.highest, { result: REFUSED, creation: 0 }));
      return;
    }
    stays();
    this.#local.set(node.name, { node, socket });
    socket.once('close', () => this.#local.delete(node.name));
    const creation = node.highest >= 6 ? randomInt(4, 2 ** 32) : randomInt(1, 4);
    socket.write(encodeAliveAnswer(node.highest, { result: 0, creation }));
    this.#options.logger.info('a local node has registered', { node: node.name, port: node.port });
  }
}
