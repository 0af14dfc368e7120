import { EpmuxError } from '../protocol/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Descriptors } from '../runtime/descriptors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { BytePipe } from '../runtime/pipe.ts';
import type { Directory, DirectoryNode } from '../session/types.ts';
import type { Addresses } from './addresses.ts';
import type { ErrorStatus, NodeStatus } from './control/api.ts';
import type { DaemonLimits } from './limits.ts';
import { isNodeName, type NameTable, type PublishedNode, splitNodeName } from './names.ts';
import { NodePort } from './node-port.ts';
import { Rerun } from './rerun.ts';

/** A port that can't be had now, for want of descriptors or of the address, may be had later. */
const RETRY_MS = 5_000;

export interface TunnelNodesOptions {
  /** Where they are. */
  readonly dyno: string | null;
  readonly tunnel: string;
  readonly addresses: Pick<Addresses, 'addressOf'>;
  readonly names: NameTable;
  /** More nodes on one host than `nodes` are not led to. */
  readonly limits: Pick<DaemonLimits, 'nodes' | 'nodeConnections'>;
  readonly descriptors: Descriptors;
  readonly clock: Clock;
  /** Whether the link is not up. */
  readonly isAway: () => boolean;
  /** A local node has connected to the node of this short name. */
  readonly onConnection: (local: BytePipe, short: string) => void;
  readonly logger: Logger;
}

interface Entry {
  readonly name: string;
  readonly port: NodePort;
  readonly published: PublishedNode;
  lastCut: ErrorStatus | undefined;
}

/** The nodes behind one link, each with its local port, published under its names. */
export class TunnelNodes {
  readonly #options: TunnelNodesOptions;
  readonly #entries = new Map<string, Entry>();
  /** Nodes that got no port at the last try, and why. */
  readonly #portless = new Map<string, string>();
  #wanted: readonly DirectoryNode[] = [];
  #cancelRetry: () => void = () => undefined;
  #epmdDown = false;
  #oddBefore = false;
  #closed = false;
  readonly #rerun = new Rerun(() => this.#work());

  constructor(options: TunnelNodesOptions) {
    this.#options = options;
  }

  /**
   * Makes the nodes be those of the directory; undefined: none. What has a name that no node can
   * have is left out. While the dyno's epmd does not answer nothing is known, so what was there
   * stays. Resolves when all are published.
   */
  set(directory: Directory | undefined): Promise<void> {
    this.#epmdDown = directory?.epmdDown === true;
    if (!this.#epmdDown) {
      const told = directory?.nodes ?? [];
      const named = told.filter(({ name }) => isNodeName(name));
      this.#sayOdd(told.length - named.length);
      this.#wanted = named.slice(0, this.#options.limits.nodes);
    }
    return this.#rerun.ask();
  }

  /** Once: a dyno can tell such names as often as it likes. */
  #sayOdd(count: number): void {
    if (count === 0 || this.#oddBefore) return;
    this.#oddBefore = true;
    const { dyno, logger } = this.#options;
    logger.warn('nodes are not led to: no node can have such names', { dyno, count });
  }

  list(stale: boolean): readonly NodeStatus[] {
    return [...this.#entries.values()].map(({ name, published, lastCut }) => {
      const unreachable = this.#options.names.unreachable(published);
      return {
        name,
        dyno: this.#options.dyno,
        address: published.address,
        port: published.port,
        state: stale || this.#epmdDown ? 'stale' : 'up',
        ...(unreachable === undefined ? {} : { unreachable }),
        ...(lastCut === undefined ? {} : { lastCut }),
      };
    });
  }

  /** A node that no local port can be had for, and why. */
  get portless(): string | undefined {
    const [first] = this.#portless;
    return first === undefined ? undefined : `${first[0]}: ${first[1]}`;
  }

  /** A connection to the node of this short name was cut. */
  onCut(short: string, cut: ErrorStatus): void {
    for (const entry of this.#entries.values()) {
      if (entry.published.short === short) entry.lastCut = cut;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wanted = [];
    this.#cancelRetry();
    await this.#rerun.running;
    for (const entry of this.#entries.values()) this.#remove(entry);
  }

  async #work(): Promise<void> {
    const tried = new Set<string>();
    // The directory may change while a port is being opened: it is looked at again until nothing is
    // left to do.
    for (;;) {
      const wanted = new Map(this.#wanted.map((node) => [node.name, node]));
      for (const entry of this.#entries.values()) {
        const node = wanted.get(entry.name);
        if (node === undefined || node.visible !== entry.published.visible) this.#remove(entry);
      }
      const missing = this.#wanted.find(({ name }) => !this.#entries.has(name) && !tried.has(name));
      if (this.#closed) return;
      if (missing === undefined) break;
      tried.add(missing.name);
      await this.#add(missing);
    }
    this.#retryLater();
  }

  #retryLater(): void {
    this.#cancelRetry();
    const names = new Set(this.#wanted.map(({ name }) => name));
    for (const name of this.#portless.keys()) if (!names.has(name)) this.#portless.delete(name);
    if (this.#portless.size === 0) return;
    const { clock } = this.#options;
    this.#cancelRetry = clock.wakeAt(clock.now() + RETRY_MS, () => void this.#rerun.ask());
  }

  async #add({ name, visible }: DirectoryNode): Promise<void> {
    const { short, host } = splitNodeName(name);
    const { dyno, tunnel, addresses, names, limits, descriptors, logger } = this.#options;
    const address = await addresses.addressOf(host, this);
    try {
      const port = await NodePort.listen({
        node: name,
        address,
        connections: limits.nodeConnections,
        descriptors,
        onConnection: (local) => this.#options.onConnection(local, short),
        logger,
      });
      const behind = dyno === null ? `the tunnel ${tunnel}` : `${dyno} of ${tunnel}`;
      const { isAway } = this.#options;
      const published = { short, host, address, port: port.port, visible, behind, isAway };
      this.#entries.set(name, { name, port, published, lastCut: undefined });
      this.#portless.delete(name);
      names.publish(published);
      logger.info('a node is published', { node: name, address, port: port.port });
      const reason = names.unreachable(published);
      if (host !== undefined && reason !== undefined) {
        logger.warn('local nodes are not led to it by its name', { node: name, reason });
      }
    } catch (error) {
      if (!(error instanceof EpmuxError)) throw error;
      if (this.#portless.get(name) !== error.message) {
        logger.error('a node can not be published', { node: name, reason: error.message });
      }
      this.#portless.set(name, error.message);
    }
  }

  #remove(entry: Entry): void {
    this.#entries.delete(entry.name);
    entry.port.close();
    this.#options.names.withdraw(entry.published);
    this.#options.logger.info('a node is withdrawn', { node: entry.name });
  }
}
