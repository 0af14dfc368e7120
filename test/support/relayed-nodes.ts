/**
 * Two hosts with real nodes, and between them two relays over plain sockets with a path that can be
 * frozen: what the tunnel does to distribution, without the tunnel. Local nodes find the far one
 * under its own name through their own epmd, where it is registered by hand.
 */
import { EventEmitter, once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { encodeEpmdRequest } from '../../src/erlang/epmd.ts';
import type { DistributionRelayOptions } from '../../src/erlang/relay-options.ts';
import type { EndReason } from '../../src/protocol/frames.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { askNode } from '../../src/runtime/epmd-client.ts';
import { NodeCoupling } from '../../src/runtime/node-coupling.ts';
import { duplexPipe } from '../../src/runtime/socket-pipe.ts';
import { aliveAnswer } from './alive-answer.ts';
import type { ErlangHost } from './erlang.ts';

type Side = DistributionRelayOptions['side'];
type RelayOptions = Partial<DistributionRelayOptions>;

export interface RelayedOptions {
  readonly laptop: ErlangHost;
  readonly dyno: ErlangHost;
  /** The far node's name without its host. */
  readonly name: string;
  readonly near?: RelayOptions;
  readonly far?: RelayOptions;
}

async function listen(
  onSocket: (socket: Socket) => void,
): Promise<{ server: Server; port: number }> {
  const server = createServer({ allowHalfOpen: true }, onSocket);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { server, port: address.port };
}

function dial(port: number): Socket {
  return connect({ port, host: '127.0.0.1', allowHalfOpen: true });
}

export class RelayedNodes {
  readonly couplings: NodeCoupling[] = [];
  /** How the couplings that are over ended. */
  readonly reasons: { readonly side: Side; readonly reason: EndReason }[] = [];
  readonly #ended = new EventEmitter();
  readonly #options: RelayedOptions;
  readonly #sockets = new Set<Socket>();
  readonly #servers: Server[] = [];
  #frozen = false;

  private constructor(options: RelayedOptions) {
    this.#options = options;
  }

  static async start(options: RelayedOptions): Promise<RelayedNodes> {
    const relayed = new RelayedNodes(options);
    const node = await askNode({ host: '127.0.0.1', port: options.dyno.epmdPort }, options.name);
    if (node === undefined) throw new Error(`${options.name} is not registered`);
    const far = await relayed.#serve((tunnel) =>
      relayed.#couple('acceptor', dial(node.port), tunnel),
    );
    const path = await relayed.#serve((near) => relayed.#join(near, dial(far)));
    const local = await relayed.#serve((socket) =>
      relayed.#couple('connector', socket, dial(path)),
    );
    await relayed.#register(local);
    return relayed;
  }

  /** Nothing passes between the relays; the sockets stay. */
  freeze(): void {
    this.#frozen = true;
    for (const socket of this.#path) socket.pause();
  }

  thaw(): void {
    this.#frozen = false;
    for (const socket of this.#path) socket.resume();
  }

  /** How the first coupling of this side ended, once it has. */
  async over(side: Side = 'connector'): Promise<EndReason> {
    for (;;) {
      const found = this.reasons.find((ended) => ended.side === side);
      if (found !== undefined) return found.reason;
      await once(this.#ended, 'ended');
    }
  }

  async stop(): Promise<void> {
    for (const coupling of this.couplings) coupling.close({ code: 0, text: '' });
    for (const server of this.#servers) server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  readonly #path = new Set<Socket>();

  #join(one: Socket, other: Socket): void {
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const) {
      this.#keep(from);
      this.#path.add(from);
      from.on('data', (chunk) => to.write(chunk));
      from.on('end', () => to.end());
      from.on('close', () => to.destroy());
      if (this.#frozen) from.pause();
      else from.resume();
    }
  }

  #couple(side: Side, node: Socket, tunnel: Socket): void {
    const options = side === 'connector' ? this.#options.near : this.#options.far;
    const coupling = new NodeCoupling({
      node: duplexPipe(this.#keep(node), 'node'),
      tunnel: duplexPipe(this.#keep(tunnel), 'tunnel'),
      relay: { side, ...options },
      clock: systemClock,
      onClosed: (reason) => {
        this.reasons.push({ side, reason });
        this.#ended.emit('ended');
      },
    });
    this.couplings.push(coupling);
  }

  async #serve(onSocket: (socket: Socket) => void): Promise<number> {
    const { server, port } = await listen(onSocket);
    this.#servers.push(server);
    return port;
  }

  #keep(socket: Socket): Socket {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    return socket;
  }

  /** Registered for as long as the connection is open. */
  async #register(port: number): Promise<void> {
    const { laptop, name } = this.#options;
    const socket = this.#keep(dial(laptop.epmdPort));
    const fields = { visible: true, highest: 6, lowest: 5, extra: new Uint8Array(0) };
    socket.write(encodeEpmdRequest({ kind: 'alive', node: { name, port, ...fields } }));
    const answer = aliveAnswer();
    for (;;) {
      const [chunk] = await once(socket, 'data');
      const taken = answer.push(chunk);
      if (taken === undefined) continue;
      if (taken.result !== 0) throw new Error(`epmd refused ${name}`);
      return;
    }
  }
}
