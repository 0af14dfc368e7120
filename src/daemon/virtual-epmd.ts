import { randomInt } from 'node:crypto';
import type net from 'node:net';
import type { EpmdNode, EpmdRequest } from '../erlang/epmd.ts';
import {
  EpmdRequestParser,
  encodeAliveAnswer,
  encodeNamesAnswer,
  encodePortAnswer,
} from '../erlang/epmd-server.ts';
import { EpmuxError, messageOf } from '../protocol/errors.ts';
import { type Address, LOOPBACK } from '../runtime/address.ts';
import type { Cancel, Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Opened } from './addresses.ts';
import { EpmdListeners } from './epmd-listeners.ts';
import { EpmdNodes, type RemoteNodes } from './epmd-nodes.ts';
import type { DaemonLimits } from './limits.ts';

/** Name already in use, or no room. */
const REFUSED = 1;

export interface VirtualEpmdOptions {
  /** The port that shells were told before; another one is taken when it is not free. */
  readonly port: number | undefined;
  readonly names: RemoteNodes;
  /** The machine's own epmd. */
  readonly upstream: Address;
  readonly limits: EpmdLimits;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** `epmdRequestMs`: for the whole request, and for the whole answer to be taken. */
type EpmdLimits = Pick<DaemonLimits, 'epmdClients' | 'epmdNodes' | 'epmdRequestMs'>;

/** One connection, which carries one request. */
interface Client {
  readonly socket: net.Socket;
  /** What it has connected to. */
  readonly address: string;
  /** It is a node's, and has no limit any more. */
  readonly stays: Cancel;
}

type Answers = {
  readonly [K in EpmdRequest['kind']]: (
    client: Client,
    request: Extract<EpmdRequest, { kind: K }>,
  ) => unknown;
};

/** What local nodes take for epmd (docs/daemon.md). What it knows on which address: `EpmdNodes`. */
export class VirtualEpmd {
  readonly #options: VirtualEpmdOptions;
  readonly #listeners: EpmdListeners;
  readonly #nodes: EpmdNodes;
  readonly #clients = new Set<net.Socket>();
  readonly #answers: Answers = {
    alive: (client, { node }) => this.#register(client, node),
    port: async ({ socket, address }, { name }) =>
      socket.end(encodePortAnswer(await this.#nodes.find(address, name))),
    names: async ({ socket, address }) =>
      socket.end(encodeNamesAnswer({ epmdPort: this.port, names: await this.#nodes.all(address) })),
    kill: ({ socket }) => {
      this.#options.logger.warn('somebody asked the virtual epmd to end itself: refused');
      socket.end('NO');
    },
    stop: ({ socket }) => socket.end(),
    dump: ({ socket }) => socket.end(),
  };
  #refusedBefore = false;

  private constructor(options: VirtualEpmdOptions) {
    const { names, upstream, limits, clock, logger } = options;
    this.#options = options;
    this.#listeners = new EpmdListeners({
      onClient: (socket, address) => this.#accept(socket, address),
      logger,
    });
    const ownPort = () => this.port;
    const most = limits.epmdNodes;
    this.#nodes = new EpmdNodes({ names, upstream, ownPort, most, clock, logger });
  }

  /** Fails with PORT_TAKEN when no port at all can be had on 127.0.0.1. */
  static async start(options: VirtualEpmdOptions): Promise<VirtualEpmd> {
    const epmd = new VirtualEpmd(options);
    for (const port of [options.port ?? 0, 0]) {
      if ((await epmd.#listeners.open(LOOPBACK, port)) === 'open') return epmd;
    }
    throw new EpmuxError('PORT_TAKEN', 'no port for the virtual epmd can be had on 127.0.0.1');
  }

  get port(): number {
    return this.#listeners.port;
  }

  /** Whether a local node of this name is registered here. */
  hasLocal(name: string): boolean {
    return this.#nodes.hasLocal(name);
  }

  /** Answers on this address too, on the same port. */
  listenOn(address: string): Promise<Opened> {
    return this.#listeners.open(address);
  }

  /** Takes no more connections on this address. */
  stopOn(address: string): void {
    this.#listeners.stopOn(address);
  }

  /** Ends every connection with it, registrations included. Idempotent. */
  close(): Promise<void> {
    const closed = this.#listeners.close();
    for (const socket of this.#clients) socket.destroy();
    return closed;
  }

  #accept(socket: net.Socket, address: string): void {
    socket.on('error', () => socket.destroy());
    const { limits, clock, logger } = this.#options;
    if (this.#clients.size >= limits.epmdClients + this.#nodes.size) {
      if (!this.#refusedBefore) {
        logger.warn('too many clients of the virtual epmd', { limit: limits.epmdClients });
      }
      this.#refusedBefore = true;
      socket.destroy();
      return;
    }
    this.#refusedBefore = false;
    this.#clients.add(socket);
    const stays = clock.wakeAt(clock.now() + limits.epmdRequestMs, () => socket.destroy());
    socket.once('close', () => {
      stays();
      this.#clients.delete(socket);
    });
    this.#read({ socket, address, stays });
  }

  #read(client: Client): void {
    const { socket } = client;
    const parser = new EpmdRequestParser();
    let answered = Promise.resolve();
    socket.on('data', (chunk: Buffer) => {
      try {
        const request = parser.push(chunk);
        if (request === undefined) return;
        answered = this.#answer(client, request).catch((error: unknown) =>
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

  async #answer(client: Client, request: EpmdRequest): Promise<void> {
    const answer = this.#answers[request.kind] as (client: Client, request: EpmdRequest) => unknown;
    await answer(client, request);
  }

  async #register({ socket, address, stays }: Client, node: EpmdNode): Promise<void> {
    if (!(await this.#nodes.register(node, address, socket))) {
      socket.end(encodeAliveAnswer(node.highest, { result: REFUSED, creation: 0 }));
      return;
    }
    stays();
    const creation = node.highest >= 6 ? randomInt(4, 2 ** 32) : randomInt(1, 4);
    socket.write(encodeAliveAnswer(node.highest, { result: 0, creation }));
    this.#options.logger.info('a local node has registered', { node: node.name, port: node.port });
  }
}
