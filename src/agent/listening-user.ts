import { open } from 'node:fs/promises';
import { BlockList, isIPv6 } from 'node:net';
import { endianness } from 'node:os';
import { join } from 'node:path';
import { systemCode } from '../runtime/system-error.ts';
import { readPlain } from './plain-file.ts';

/** Some seventeen hundred sockets; those that listen come first. */
const TABLE_BYTES = 262_144;
const TABLES = ['net/tcp', 'net/tcp6'];
/** Local address and port, then the state LISTEN, and the fifth field behind it: the user. */
const LISTENING = /^ *\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) \S+ 0A( \S+){3} +(\d+) /gm;
/** Why a table is kept from this process, which is no chance. */
const WITHHELD = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM']);
const ANY = { ipv4: '0.0.0.0', ipv6: '::' } as const;

/** A socket that listens in this host. */
export interface Listener {
  readonly address: string;
  readonly family: keyof typeof ANY;
  readonly port: number;
  readonly uid: number;
}

/** The far end of a connected socket. */
export interface FarEnd {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}

/**
 * Looks whose the sockets are that this user's agent connects to. One look at a time, however many
 * connect: it may take half a MiB for the tables.
 */
export class ListeningUser {
  readonly #uid: number;
  readonly #proc: string;
  #running: Promise<readonly Listener[] | undefined> | undefined;
  #next: Promise<readonly Listener[] | undefined> | undefined;

  constructor({ uid, proc }: { readonly uid: number; readonly proc: string }) {
    this.#uid = uid;
    this.#proc = proc;
  }

  /**
   * Connects by `dial`. `isOwn`: what listens at the far end is of this user, looked at before and
   * after, for a listener may give way to another's; true as well where the system does not tell.
   * Fails as `dial` does.
   */
  async dial<T extends { readonly socket: FarEnd }>(
    dial: () => Promise<T>,
  ): Promise<T & { readonly isOwn: boolean }> {
    const before = await this.#look();
    const dialled = await dial();
    const { remoteAddress, remotePort } = dialled.socket;
    const seen = [before, await this.#look()];
    const isOwn = seen.every(
      (all) => all === undefined || isListenerOf(this.#uid, { remoteAddress, remotePort }, all),
    );
    return { ...dialled, isOwn };
  }

  /** One that begins after this call; all who ask while another goes on share it. */
  #look(): Promise<readonly Listener[] | undefined> {
    this.#next ??= this.#running?.then(() => {
      this.#next = undefined;
      return this.#begin();
    });
    return this.#next ?? this.#begin();
  }

  #begin(): Promise<readonly Listener[] | undefined> {
    this.#running = listenersNow(this.#proc).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }
}

/**
 * What listens in this host, as the kernel's tables have it at this moment. Undefined: the system
 * does not tell, for it has no such tables in its `proc`, or lets nobody read them. Never fails.
 */
export async function listenersNow(proc: string): Promise<readonly Listener[] | undefined> {
  const tables = TABLES.map((name) => join(proc, name));
  const read = await Promise.all(tables.map((path) => readPlain(path, TABLE_BYTES)));
  if (read.every((table) => table === undefined)) {
    const withheld = await Promise.all(tables.map(isWithheld));
    if (withheld.every(Boolean)) return undefined;
  }
  return read.flatMap((table) => listeners(table?.toString('latin1') ?? ''));
}

/**
 * Whether all that may have taken this connection is of the user `uid`. Nobody else can listen
 * there for as long as that does.
 */
export function isListenerOf(
  uid: number,
  { remoteAddress, remotePort }: FarEnd,
  all: readonly Listener[],
): boolean {
  if (remoteAddress === undefined) return false;
  const there = all.filter(({ port }) => port === remotePort);
  const family = isIPv6(remoteAddress) ? 'ipv6' : 'ipv4';
  const own = there.filter(among(family, [withoutZone(remoteAddress), ANY[family]]));
  // One for both families takes what no other does.
  const taking = own.length > 0 ? own : there.filter(among('ipv6', [ANY.ipv6]));
  return taking.length > 0 && taking.every((listener) => listener.uid === uid);
}

/**
 * A table that can't be read at this moment alone, for want of a descriptor, tells nothing of the
 * user, but that there may be another.
 */
async function isWithheld(table: string): Promise<boolean> {
  try {
    await (await open(table)).close();
    return false;
  } catch (error) {
    return WITHHELD.has(systemCode(error) ?? '');
  }
}

function listeners(table: string): Listener[] {
  return [...table.matchAll(LISTENING)].map(([, address = '', port = '', , uid = '']) => ({
    ...addressOf(address),
    port: Number.parseInt(port, 16),
    uid: Number(uid),
  }));
}

/** The kernel writes an address as words of 32 bits, each as this machine has it in memory. */
function addressOf(hex: string): Pick<Listener, 'address' | 'family'> {
  const bytes = Buffer.from(hex, 'hex');
  if (endianness() === 'LE') bytes.swap32();
  if (bytes.length === 4) return { address: bytes.join('.'), family: 'ipv4' };
  const groups = bytes.toString('hex').match(/.{4}/g) ?? [];
  return { address: groups.join(':'), family: 'ipv6' };
}

/** Of an IPv4 address also as IPv6 has it. */
function among(family: Listener['family'], addresses: readonly string[]) {
  const list = new BlockList();
  for (const address of addresses) list.addAddress(address, family);
  return (listener: Listener): boolean => list.check(listener.address, listener.family);
}

function withoutZone(address: string): string {
  return address.replace(/%.*$/, '');
}
