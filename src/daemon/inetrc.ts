import { LOOPBACK } from '../runtime/address.ts';

function erlangString(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** For ERL_INETRC: names are looked up in the hosts file first, then as without us. */
export function inetrcText(hostsFile: string): string {
  return `{lookup,[file,native]}.\n{hosts_file,${erlangString(hostsFile)}}.\n`;
}

/**
 * One line an address with all its names: of two lines with the same address, Erlang keeps the
 * last.
 */
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
