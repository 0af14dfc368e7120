import { createHash, createHmac } from 'node:crypto';
import type { Address } from '../../runtime/address.ts';

/** One entry of a known_hosts file (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT). */
export interface KnownHost {
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  readonly marker: '' | '@revoked' | '@cert-authority';
  /** Patterns with commas, or one hashed name. */
  readonly names: string;
  readonly keyType: string;
  readonly key: Buffer;
}

export type Verdict =
  | { readonly kind: 'known' }
  | { readonly kind: 'revoked'; readonly by: KnownHost }
  | { readonly kind: 'changed'; readonly by: KnownHost }
  /** `others`: entries of the host for keys of other types. */
  | { readonly kind: 'unknown'; readonly others: readonly KnownHost[] };

const SSH_PORT = 22;
const ENTRY =
  /^(?:(@revoked|@cert-authority)\s+)?([^\s#@]\S*)\s+([\w.@-]+)\s+([A-Za-z0-9+/]+={0,2})(?:\s|$)/;

/** Lines that are no entry are skipped, as OpenSSH does. */
export function parseKnownHosts(text: string, file: string): KnownHost[] {
  return text.split('\n').flatMap((content, index) => {
    const match = ENTRY.exec(content.trim());
    if (match === null) return [];
    const [, marker = '', names = '', keyType = '', key = ''] = match;
    return [
      {
        file,
        line: index + 1,
        marker: marker as KnownHost['marker'],
        names,
        keyType,
        key: Buffer.from(key, 'base64'),
      },
    ];
  });
}

/** The name that known_hosts has for it: the port stands in it unless it is SSH's own. */
export function knownHostName(address: Address): string {
  const host = address.host.toLowerCase();
  return address.port === SSH_PORT ? host : `[${host}]:${address.port}`;
}

/**
 * What the entries say to this key. A key known for the host without its port counts where none is
 * known for it with the port, as with OpenSSH.
 */
export function judgeHostKey(
  entries: readonly KnownHost[],
  address: Address,
  key: Buffer,
): Verdict {
  const own = entriesFor(entries, knownHostName(address));
  const portless = entriesFor(entries, address.host.toLowerCase());
  const same = [...own, ...portless].filter((entry) => entry.key.equals(key));
  const revoked = same.find((entry) => entry.marker === '@revoked');
  if (revoked !== undefined) return { kind: 'revoked', by: revoked };
  const others = own.filter((entry) => entry.marker === '');
  const counting = others.length > 0 ? others : portless;
  if (same.some((entry) => entry.marker === '' && counting.includes(entry))) {
    return { kind: 'known' };
  }
  const changed = others.find((entry) => entry.keyType === hostKeyType(key));
  return changed === undefined ? { kind: 'unknown', others } : { kind: 'changed', by: changed };
}

/** Types of the keys known for the host, in the files' order. */
export function knownKeyTypes(entries: readonly KnownHost[], address: Address): string[] {
  const own = entriesFor(entries, knownHostName(address));
  const found = own.length > 0 ? own : entriesFor(entries, address.host.toLowerCase());
  const types = found.filter((entry) => entry.marker === '').map((entry) => entry.keyType);
  return [...new Set(types)];
}

export function entriesFor(entries: readonly KnownHost[], name: string): KnownHost[] {
  return entries.filter((entry) => namesHost(entry.names, name));
}

/** The type that stands first in a public key's wire form; empty when there is none. */
export function hostKeyType(key: Buffer): string {
  const length = key.length < 4 ? 0 : key.readUInt32BE(0);
  return key.subarray(4, 4 + Math.min(length, 64)).toString('latin1');
}

/** `SHA256:…`, as OpenSSH shows it. */
export function fingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

function namesHost(names: string, name: string): boolean {
  if (names.startsWith('|')) return isHashOf(names, name);
  const patterns = names.toLowerCase().split(',');
  const refused = patterns.some(
    (pattern) => pattern.startsWith('!') && matches(pattern.slice(1), name),
  );
  return !refused && patterns.some((pattern) => !pattern.startsWith('!') && matches(pattern, name));
}

/** `|1|salt|HMAC-SHA-1(salt, name)`, both in base64. */
function isHashOf(names: string, name: string): boolean {
  const [, version, salt = '', hash = ''] = names.split('|');
  if (version !== '1') return false;
  const hashed = createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64');
  return hashed === hash;
}

/**
 * Goes back to the last `*` only, so that many of them cost no more than the product of the two
 * lengths.
 */
function matches(pattern: string, name: string): boolean {
  let at = 0;
  let star = -1;
  let taken = 0;
  for (let read = 0; read < name.length; ) {
    if (pattern[at] === '*') {
      star = at++;
      taken = read;
    } else if (pattern[at] === '?' || pattern[at] === name[read]) {
      at += 1;
      read += 1;
    } else if (star >= 0) {
      at = star + 1;
      read = ++taken;
    } else return false;
  }
  return /^\**$/.test(pattern.slice(at));
}
