import { isIPv4 } from 'node:net';
import { hostname } from 'node:os';

export const LOCAL_ADDRESS = '127.0.0.1';
const LAST_ADDRESS = 254;
const HOST_NAME = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,252}[A-Za-z0-9])?$/;

/** The names that this machine itself goes by, in lower case: they lead to 127.0.0.1, where its own nodes are answered for. */
export function ownHostNames(name: string = hostname()): readonly string[] {
  const full = name.toLowerCase();
  const short = full.split('.')[0] ?? full;
  return [...new Set([full, short])].filter((host) => HOST_NAME.test(host));
}

/** Whether a local node can be led to this host by a line in a hosts file. */
export function isLeadable(host: string): boolean {
  return HOST_NAME.test(host) && !isIPv4(host);
}

export interface AddressOptions {
  /** This machine has the whole of 127.0.0.0/8 (Linux), not only 127.0.0.1 (macOS). */
  readonly many: boolean;
  readonly ownHosts: readonly string[];
  /** Begins to answer for nodes on this address; false when it is taken. */
  readonly open: (address: string) => Promise<boolean>;
  /** Whether any node of this host is published. */
  readonly inUse: (host: string) => boolean;
}

/**
 * Which local address stands for which remote host: one each, so that two hosts whose nodes have the same short name can both be
 * reached (epmd is asked without the host). A host keeps its address while the daemon lives; when all are given away, the host that was
 * first to be given one and is not in use any more loses it.
 */
export class Addresses {
  readonly #options: AddressOptions;
  readonly #byHost = new Map<string, Promise<string>>();
  /** Host → address, those given away alone, in the order in which they were. */
  readonly #given = new Map<string, string>();
  readonly #taken = new Set<string>();

  constructor(options: AddressOptions) {
    this.#options = options;
  }

  /** 127.0.0.1 when the host is not known, is this machine itself, or no address is left. */
  addressOf(host: string | undefined): Promise<string> {
    const key = host?.toLowerCase();
    if (key === undefined || key === 'localhost' || this.#options.ownHosts.includes(key)) {
      return Promise.resolve(LOCAL_ADDRESS);
    }
    const known = this.#byHost.get(key);
    if (known !== undefined) return known;
    const given = this.#give(key);
    this.#byHost.set(key, given);
    return given;
  }

  async #give(host: string): Promise<string> {
    if (!this.#options.many || host === LOCAL_ADDRESS) return LOCAL_ADDRESS;
    if (isIPv4(host)) {
      const itself = host.startsWith('127.') && (await this.#open(host));
      return itself ? host : LOCAL_ADDRESS;
    }
    const address = (await this.#openNext()) ?? this.#inherit();
    if (address === undefined) return LOCAL_ADDRESS;
    this.#given.set(host, address);
    return address;
  }

  async #openNext(): Promise<string | undefined> {
    for (let last = 2; last <= LAST_ADDRESS; last += 1) {
      const address = `127.0.0.${last}`;
      if (!this.#taken.has(address) && (await this.#open(address))) return address;
    }
    return undefined;
  }

  async #open(address: string): Promise<boolean> {
    // Reserved before the wait: two hosts may ask at the same time.
    if (this.#taken.has(address)) return true;
    this.#taken.add(address);
    return this.#options.open(address);
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
