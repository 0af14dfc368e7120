import type net from 'node:net';
import type { EpmdName, EpmdNode } from '../erlang/epmd.ts';
import { EpmuxError } from '../protocol/errors.ts';
import { type Address, LOOPBACK } from '../runtime/address.ts';
import type { Clock } from '../runtime/clock.ts';
import { type AskOptions, askNames, askNode } from '../runtime/epmd-client.ts';
import type { Logger } from '../runtime/logger.ts';

/** The remote nodes, by the local address that stands for their host. */
export interface RemoteNodes {
  epmdNode(address: string, short: string): EpmdNode | undefined;
  epmdNames(address: string): readonly EpmdName[];
}

export interface EpmdNodesOptions {
  readonly names: RemoteNodes;
  /** The machine's own epmd. */
  readonly upstream: Address;
  /** The virtual epmd's own: it is no upstream of itself. */
  readonly ownPort: () => number;
  /** Most local nodes. */
  readonly most: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * The nodes that the virtual epmd knows. On 127.0.0.N those of the one remote host that N stands
 * for; on 127.0.0.1 the local ones that registered here, the remote ones published there, and
 * whatever the machine's own epmd knows.
 */
export class EpmdNodes {
  readonly #options: EpmdNodesOptions;
  readonly #local = new Map<string, EpmdNode>();

  constructor(options: EpmdNodesOptions) {
    this.#options = options;
  }

  /** How many local nodes are registered. */
  get size(): number {
    return this.#local.size;
  }

  /** Whether a local node of this name is registered. */
  hasLocal(name: string): boolean {
    return this.#local.has(name);
  }

  async find(address: string, name: string): Promise<EpmdNode | undefined> {
    const { names } = this.#options;
    if (address !== LOOPBACK) return names.epmdNode(address, name);
    return (
      this.#local.get(name) ??
      names.epmdNode(address, name) ??
      (await this.#askUpstream((epmd, by) => askNode(epmd, name, by)))
    );
  }

  async all(address: string): Promise<readonly EpmdName[]> {
    const remote = this.#options.names.epmdNames(address);
    if (address !== LOOPBACK) return remote;
    const local = [...this.#local.values()].map(({ name, port }) => ({ name, port }));
    const upstream = (await this.#askUpstream(askNames)) ?? [];
    const merged = new Map<string, EpmdName>();
    for (const entry of [...local, ...remote, ...upstream]) {
      if (!merged.has(entry.name)) merged.set(entry.name, entry);
    }
    return [...merged.values()];
  }

  /**
   * Knows the node until its connection closes. False: the name is in use, there is no room, or it
   * has closed.
   */
  async register(node: EpmdNode, address: string, connection: net.Socket): Promise<boolean> {
    const isFree =
      address === LOOPBACK &&
      this.#hasRoom &&
      (await this.find(address, node.name)) === undefined &&
      // Another may have taken the name, or the last place, while the machine's epmd was asked.
      !this.#local.has(node.name) &&
      this.#hasRoom;
    if (!isFree || connection.destroyed) return false;
    this.#local.set(node.name, node);
    connection.once('close', () => this.#local.delete(node.name));
    return true;
  }

  get #hasRoom(): boolean {
    return this.#local.size < this.#options.most;
  }

  /** The machine may have no epmd, or one that hangs: then it knows nothing. */
  async #askUpstream<T>(
    ask: (epmd: Address, options: AskOptions) => Promise<T>,
  ): Promise<T | undefined> {
    const { upstream, ownPort, clock, logger } = this.#options;
    if (upstream.port === ownPort()) return undefined;
    try {
      return await ask(upstream, { clock });
    } catch (error) {
      if (!(error instanceof EpmuxError)) throw error;
      logger.debug("the machine's own epmd does not answer", { reason: error.message });
      return undefined;
    }
  }
}
