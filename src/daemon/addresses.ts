import { isIPv4 } from 'node:net';
import { LOOPBACK } from '../runtime/address.ts';

const LAST_ADDRESS = 254;
const HOST_NAME = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,252}[A-Za-z0-9])?$/;

/** Whether a local node can be led to this host by a line in a hosts file. */
export function isLeadable(host: string): boolean {
  return HOST_NAME.test(host) && !isIPv4(host);
}

/**
 * `taken`: another process has it. `absent`: none such can be had now: Linux has the whole of
 * 127.0.0.0/8, macOS 127.0.0.1 and what was added.
 */
export type Opened = 'open' | 'taken' | 'absent';

export interface AddressOptions {
  /** Whether this machine itself goes by this name. */
  readonly isOwn: (host: string) => boolean;
  /** Begins to answer for nodes on this address. */
  readonly open: (address: string) => Promise<Opened>;
  /** Answers there no more. */
  readonly close: (address: string) => void;
  /** Whether any node of this host is published. */
  readonly inUse: (host: string) => boolean;
}

/**
 * Hosts of one link that get an address each: a dyno has one name, another machine may have a few.
 */
const HOSTS_OF_A_LINK = 16;
/** Hosts that are loopback addresses themselves, and are listened on for that. */
const LOOPBACK_HOSTS = 64;

/**
 * Which local address stands for which remote host: one each, so that two hosts whose nodes have
 * the same short name can both be reached (epmd is asked without the host). A host keeps its
 * address while the daemon lives; when all are given away, the host that was first to be given one
 * and is not in use any more loses it. What a dyno can take is bounded, however many hosts it
 * names.
 */
export class Addresses {
  readonly #options: AddressOptions;
  /** Those with an address of their own, or about to get one. */
  readonly #byHost = new Map<string, Promise<string>>();
  /** Host → address, those given away alone, in the order in which they were. */
  readonly #given = new Map<string, string>();
  /** Hosts that are listened on themselves. */
  readonly #loopback = new Set<string>();
  readonly #hostsOf = new WeakMap<object, Set<string>>();
  readonly #taken = new Set<string>();

  constructor(options: AddressOptions) {
    this.#options = options;
  }

  /**
   * For a node behind `link`. 127.0.0.1 when the host is not known, is this machine itself, or no
   * address is left for it.
   */
  addressOf(host: string | undefined, link: object): Promise<string> {
    const key = host?.toLowerCase();
    if (key === undefined || key === 'localhost' || this.#options.isOwn(key)) {
      return Promise.resolve(LOOPBACK);
    }
    const known = this.#byHost.get(key);
    if (known !== undefined) return known;
    const hosts = this.#hostsInUse(link);
    if (hosts.size >= HOSTS_OF_A_LINK) return Promise.resolve(LOOPBACK);
    hosts.add(key);
    const given = this.#give(key).then((address) => {
      // An address may be free when the host is asked for again.
      if (address === LOOPBACK) {
        this.#byHost.delete(key);
        hosts.delete(key);
      }
      return address;
    });
    this.#byHost.set(key, given);
    return given;
  }

  /** Those that this link was the first to name, looked through once there are too many. */
  #hostsInUse(link: object): Set<string> {
    const hosts = this.#hostsOf.get(link) ?? new Set();
    this.#hostsOf.set(link, hosts);
    if (hosts.size >= HOSTS_OF_A_LINK) {
      for (const host of hosts) if (!this.#options.inUse(host)) hosts.delete(host);
    }
    return hosts;
  }

  async #give(host: string): Promise<string> {
    if (host === LOOPBACK) return LOOPBACK;
    if (isIPv4(host)) {
      const itself = host.startsWith('127.') && (await this.#openItself(host));
      return itself ? host : LOOPBACK;
    }
    const address = (await this.#openNext()) ?? this.#inherit();
    if (address === undefined) return LOOPBACK;
    this.#given.set(host, address);
    return address;
  }

  async #openNext(): Promise<string | undefined> {
    for (let last = 2; last <= LAST_ADDRESS; last += 1) {
      const address = `127.0.0.${last}`;
      if (this.#taken.has(address)) continue;
      const opened = await this.#open(address);
      if (opened === 'open') return address;
      if (opened === 'absent') return undefined;
    }
    return undefined;
  }

  /**
   * A host that is a loopback address; when there are too many, one that is not in use any more
   * makes room.
   */
  async #openItself(host: string): Promise<boolean> {
    if (this.#taken.has(host)) return true;
    if (this.#loopback.size >= LOOPBACK_HOSTS && !this.#closeUnused()) return false;
    const opened = await this.#open(host);
    if (opened === 'open') this.#loopback.add(host);
    return opened === 'open';
  }

  #closeUnused(): boolean {
    for (const host of this.#loopback) {
      if (this.#options.inUse(host)) continue;
      this.#loopback.delete(host);
      this.#byHost.delete(host);
      this.#taken.delete(host);
      this.#options.close(host);
      return true;
    }
    return false;
  }

  async #open(address: string): Promise<Opened> {
    // Reserved before the wait: two hosts may ask at the same time.
    this.#taken.add(address);
    const opened = await this.#options.open(address);
    if (opened !== 'open') this.#taken.delete(address);
    return opened;
  }

  /** At once: hosts that ask at the same time inherit from different ones. */
  #inherit(): string | undefined {
    for (const [other, address] of this.#given) {
      if (this.#options.inUse(other)) continue;
      this.#given.delete(other);
      this.#byHost.delete(other);
      return address;
    }
    return undefined;
  }
}
