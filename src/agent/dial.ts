import { connect, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { EpmuxError } from '../protocol/errors.ts';
import { isExhaustion } from '../runtime/descriptors.ts';

/** A connection within one host is there at once or not at all. */
const DIAL_MS = 3_000;
const LOOPBACK = ['127.0.0.1', '::1'] as const;
/** Nothing listens on this address, or this host has none of its kind: another one may do. */
const TRY_NEXT = new Set(['ECONNREFUSED', 'EADDRNOTAVAIL', 'EAFNOSUPPORT', 'ENETUNREACH']);

/** A connection to a port of the loopback. Fails with CONNECT_FAILED, and BUSY when no descriptor is left. */
export function dialLoopback(port: number): Promise<Socket> {
  return dialFirst(port, LOOPBACK);
}

/** The same; where the loopback refuses, on this host's own addresses: a node may listen on one of them alone. */
export function dialOwnHost(port: number): Promise<Socket> {
  return dialFirst(port, [...LOOPBACK, ...ownAddresses()]);
}

function ownAddresses(): string[] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses
      .filter((entry) => !entry.internal)
      .map(({ address, scopeid }) => (scopeid ? `${address}%${name}` : address)),
  );
}

async function dialFirst(port: number, hosts: readonly string[]): Promise<Socket> {
  let refusal: unknown;
  for (const host of hosts) {
    try {
      return await dial(host, port);
    } catch (cause) {
      refusal ??= cause;
      if (!TRY_NEXT.has((cause as NodeJS.ErrnoException).code ?? '')) break;
    }
  }
  const why = refusal instanceof Error ? refusal.message : String(refusal);
  if (isExhaustion(refusal)) {
    throw new EpmuxError('BUSY', `no file descriptor is free here: ${why}`, { cause: refusal });
  }
  throw new EpmuxError('CONNECT_FAILED', `port ${port} could not be reached: ${why}`, {
    cause: refusal,
  });
}

function dial(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true });
    const timer = setTimeout(
      () => socket.destroy(new Error(`no connection within ${DIAL_MS} ms`)),
      DIAL_MS,
    );
    const fail = (error: Error): void => {
      clearTimeout(timer);
      reject(error);
    };
    socket.once('error', fail);
    socket.once('connect', () => {
      clearTimeout(timer);
      // Whoever awaits the socket listens before an error can come: no event lies between two microtasks.
      queueMicrotask(() => socket.off('error', fail));
      resolve(socket);
    });
  });
}
