import { EpmuxError } from '../protocol/errors.ts';
import { LOOPBACK } from '../runtime/address.ts';
import type { Logger } from '../runtime/logger.ts';
import { writeFileAtomic } from './files.ts';
import { Rerun } from './rerun.ts';

function erlangString(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** For ERL_INETRC: names are looked up in the hosts file first, then as without us. */
export function inetrcText(hostsFile: string): string {
  return `{lookup,[file,native]}.\n{hosts_file,${erlangString(hostsFile)}}.\n`;
}

/** One line an address with all its names: of two lines with the same address, Erlang keeps the last. */
export function hostsText(hosts: ReadonlyMap<string, string>, ownHosts: readonly string[]): string {
  const byAddress = new Map<string, Set<string>>([[LOOPBACK, new Set(ownHosts)]]);
  for (const [host, address] of hosts) {
    const names = byAddress.get(address) ?? new Set();
    names.add(host);
    byAddress.set(address, names);
  }
  return [...byAddress]
    .filter(([, names]) => names.size > 0)
    .map(([address, names]) => `${address} ${[...names].join(' ')}\n`)
    .join('');
}

/**
 * Keeps the hosts file as the hosts are; a running node reads it again within 5 s. One write at a time, the last one wins; a failed one is
 * logged and made again with the next change or `retry`.
 */
export class HostsFile {
  readonly #path: string;
  readonly #logger: Logger;
  #wanted: string | undefined;
  #written: string | undefined;
  readonly #rerun = new Rerun(() => this.#write());
  #problem: EpmuxError | undefined;

  constructor(path: string, logger: Logger) {
    this.#path = path;
    this.#logger = logger;
  }

  get problem(): EpmuxError | undefined {
    return this.#problem;
  }

  /** Resolves when the file holds this text or a later one, or could not be written. */
  set(text: string): Promise<void> {
    this.#wanted = text;
    return this.retry();
  }

  retry(): Promise<void> {
    return this.#rerun.ask();
  }

  async #write(): Promise<void> {
    const text = this.#wanted;
    if (text === undefined || text === this.#written) return;
    try {
      await writeFileAtomic(this.#path, text);
      this.#written = text;
      this.#problem = undefined;
    } catch (error) {
      if (!(error instanceof EpmuxError)) throw error;
      this.#logger.error('the hosts file can not be written', { reason: error.message });
      this.#problem = error;
    }
  }
}
