import { hostname } from 'node:os';
import { readBoundedSync } from '../runtime/bounded-file.ts';
import { isLeadable } from './addresses.ts';

/** Of /etc/hosts and /etc/resolv.conf; what is behind is a list of blocked hosts, mostly. */
const MAX_FILE_BYTES = 65_536;
/** Names that are remembered; the oldest gives way. */
const MAX_NAMES = 64;

/** By what a machine is called; the texts of the two files are empty where there are none. */
export interface Machine {
  readonly hostName: string;
  readonly hosts: string;
  readonly resolvConf: string;
}

/**
 * The names that a machine goes by, in lower case: the host name, its part before the first dot,
 * and that with a domain, as Erlang makes a long name of it: the resolver's, or the one beside it
 * in /etc/hosts.
 */
export function ownHostNames({ hostName, hosts, resolvConf }: Machine): readonly string[] {
  const full = hostName.toLowerCase();
  const short = full.split('.')[0] ?? full;
  const domains = [...resolvConf.matchAll(/^[ \t]*(?:domain|search)[ \t]+(\S+?)\.?(?=\s|$)/gm)];
  const listed = hosts
    .toLowerCase()
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim().split(/\s+/).slice(1))
    .filter((names) => names.includes(full) || names.includes(short))
    .flatMap((names) => names.filter((name) => name.startsWith(`${short}.`)));
  const inDomains = domains.map(([, domain = '']) => `${short}.${domain.toLowerCase()}`);
  return [...new Set([full, short, ...inDomains, ...listed])].filter(isLeadable);
}

/**
 * What this machine goes by: its names lead to 127.0.0.1, where its own nodes are answered for.
 * They change with the network; those of before stay, for nodes that still run with them.
 */
export class OwnHosts {
  readonly #machine: () => Machine;
  readonly #names = new Set<string>();

  constructor(machine: () => Machine = thisMachine) {
    this.#machine = machine;
    this.look();
  }

  get all(): readonly string[] {
    return [...this.#names];
  }

  has(host: string): boolean {
    return this.#names.has(host);
  }

  /** Looks again. Whether there are names that were not there before. */
  look(): boolean {
    const found = ownHostNames(this.#machine()).filter((name) => !this.#names.has(name));
    for (const name of found) this.#names.add(name);
    for (const name of this.all.slice(0, -MAX_NAMES)) this.#names.delete(name);
    return found.length > 0;
  }
}

function thisMachine(): Machine {
  return {
    hostName: hostname(),
    hosts: startOf('/etc/hosts'),
    resolvConf: startOf('/etc/resolv.conf'),
  };
}

function startOf(path: string): string {
  try {
    return readBoundedSync(path, MAX_FILE_BYTES).bytes.toString('latin1');
  } catch {
    return '';
  }
}
