import type { EpmdName, EpmdNode } from '../erlang/epmd.ts';
import { LOOPBACK } from '../runtime/address.ts';
import { isLeadable } from './addresses.ts';

/** What an atom holds. */
const MAX_NAME_CHARACTERS = 255;
const CONTROL_CHARACTER = /\p{Cc}/u;

/** Whether a node can be called this. A dyno may say what it likes. */
export function isNodeName(name: string): boolean {
  return name.length <= MAX_NAME_CHARACTERS && !CONTROL_CHARACTER.test(name);
}

export interface NodeName {
  /** The part before `@`: all that epmd knows. */
  readonly short: string;
  /** Undefined while only epmd's part of the name is known. */
  readonly host: string | undefined;
}

export function splitNodeName(name: string): NodeName {
  const at = name.indexOf('@');
  return at < 0
    ? { short: name, host: undefined }
    : { short: name.slice(0, at), host: name.slice(at + 1) };
}

/** A remote node that local ones can be led to. */
export interface PublishedNode extends NodeName {
  /** Where its node port listens. */
  readonly address: string;
  readonly port: number;
  readonly visible: boolean;
  /** Which dyno or tunnel it is behind, for a person: `web.1 of my-app`. */
  readonly behind: string;
  /** Whether nothing comes through to it now; absent where that can't be. */
  readonly isAway?: () => boolean;
}

/**
 * Whether a local node can ask for it on its address. One whose full name is not known would be
 * asked for in vain, and could hide one of this machine's own.
 */
function hasLocalName({ short, host, address }: PublishedNode): boolean {
  return SHORT_NAME.test(short) && host !== undefined && (isLeadable(host) || host === address);
}

/** What fits into a line of epmd's list; the dyno may say what it likes. */
const SHORT_NAME = /^[^\s@\p{C}]{1,255}$/u;

/**
 * All remote nodes of all tunnels, as the virtual epmd tells them. Where two would answer to one
 * name on one address, the one that was published first does, until it is withdrawn.
 */
export class NameTable {
  readonly #nodes = new Set<PublishedNode>();
  /** Host in lower case → how many nodes of it there are. */
  readonly #perHost = new Map<string, number>();
  #onChange: () => Promise<void> = () => Promise.resolve();
  #told: Promise<void> = Promise.resolve();
  #hasLocal: (short: string) => boolean = () => false;

  /**
   * By which it learns what local nodes are registered on 127.0.0.1: those are found there before
   * any remote one.
   */
  localNames(hasLocal: (short: string) => boolean): void {
    this.#hasLocal = hasLocal;
  }

  /** The listener's promise is what `told` waits for; it must not reject. */
  onChange(listener: () => Promise<void>): void {
    this.#onChange = listener;
  }

  /**
   * Resolves when whoever listens has dealt with all changes so far: local nodes can be led by
   * them.
   */
  told(): Promise<void> {
    return this.#told;
  }

  publish(node: PublishedNode): void {
    this.#nodes.add(node);
    this.#countHost(node, 1);
    this.#told = this.#onChange();
  }

  withdraw(node: PublishedNode): void {
    if (!this.#nodes.delete(node)) return;
    this.#countHost(node, -1);
    this.#told = this.#onChange();
  }

  lookup(address: string, short: string): PublishedNode | undefined {
    for (const node of this.#nodes) {
      if (node.address === address && node.short === short && hasLocalName(node)) return node;
    }
    return undefined;
  }

  /** What epmd would say on this address. */
  epmdNode(address: string, short: string): EpmdNode | undefined {
    const node = this.lookup(address, short);
    if (node === undefined) return undefined;
    const { port, visible } = node;
    return { name: short, port, visible, highest: 6, lowest: 5, extra: new Uint8Array(0) };
  }

  epmdNames(address: string): readonly EpmdName[] {
    const names: EpmdName[] = [];
    for (const node of this.#nodes) {
      if (node.address !== address || this.lookup(address, node.short) !== node) continue;
      names.push({ name: node.short, port: node.port });
    }
    return names;
  }

  /** Whether a node of this host, in lower case, is published. */
  hasHost(host: string): boolean {
    return this.#perHost.has(host);
  }

  /** Whether a node of this full name is behind any tunnel. */
  readonly hasNode = (name: string): boolean =>
    [...this.#nodes].some(({ short, host }) => host !== undefined && `${short}@${host}` === name);

  /** Host → address, for those whose name a hosts file can lead. */
  hosts(): ReadonlyMap<string, string> {
    const hosts = new Map<string, string>();
    for (const { host, address } of this.#nodes) {
      if (host !== undefined && isLeadable(host) && host !== 'localhost') hosts.set(host, address);
    }
    return hosts;
  }

  /** Why a local node can't be led to this one by its name; undefined when it can. */
  unreachable(node: PublishedNode): string | undefined {
    const { host, address, short } = node;
    if (host === undefined) return 'its full name is not known yet';
    if (!SHORT_NAME.test(short)) return 'epmd can not list such a name';
    if (!hasLocalName(node)) return `no name resolution leads to ${host}`;
    if (address === LOOPBACK && this.#hasLocal(short)) {
      return `a node of this machine was first to have the name ${short} on ${LOOPBACK}`;
    }
    const first = this.lookup(address, short);
    if (first === undefined || first === node) return undefined;
    const other = first.host === host ? first.behind : `${first.short}@${first.host ?? '?'}`;
    const why = address === LOOPBACK ? `on ${LOOPBACK}` : `for ${host}`;
    // It keeps the name all the same: what has it on this side may be a node of another cluster.
    const away =
      first.isAway?.() === true
        ? ', and its link is away: `epmux down` of its tunnel frees it'
        : '';
    return `${other} was first to have the name ${short} ${why}${away}`;
  }

  #countHost({ host }: PublishedNode, by: number): void {
    if (host === undefined) return;
    const key = host.toLowerCase();
    const count = (this.#perHost.get(key) ?? 0) + by;
    if (count === 0) this.#perHost.delete(key);
    else this.#perHost.set(key, count);
  }
}
