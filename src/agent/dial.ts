import { connect, type Socket } from 'node:net';
import { EpmuxError } from '../protocol/errors.ts';
import { LOOPBACK } from '../runtime/address.ts';
import { isExhaustion } from '../runtime/descriptors.ts';
import { knownInterfaces } from '../runtime/interfaces.ts';

/** A connection within one host is there at once or not at all. */
const DIAL_MS = 3_000;
const LOOPBACKS = [LOOPBACK, '::1'] as const;
/** Nothing listens on this address, or this host has none of its kind: another one may do. */
const TRY_NEXT = new Set(['ECONNREFUSED', 'EADDRNOTAVAIL', 'EAFNOSUPPORT', 'ENETUNREACH']);

/** A connection to a port of the loopback. Fails with CONNECT_FAILED, also at the signal, and BUSY when no descriptor is left. */
export function dialLoopback(port: number, signal?: AbortSignal): Promise<Socket> {
  return dialFirst(port, LOOPBACKS, signal);
}

/** The same; where the loopback refuses, on this host's own addresses: a node may listen on one of them alone. */
export function dialOwnHost(port: number, signal?: AbortSignal): Promise<Socket> {
  return dialFirst(port, ownHosts(), signal);
}

function* ownHosts(): Iterable<string> {
  yield* LOOPBACKS;
  yield* ownAddresses();
}

function ownAddresses(): string[] {
  return Object.entries(knownInterfaces()).flatMap(([name, addresses = []]) =>
    addresses
      .filter((entry) => !entry.internal)
      .map(({ address, scopeid }) => (scopeid ? `${address}%${name}` : address)),
  );
}

async function dialFirst(
  port: number,
  hosts: Iterable<string>,
  signal: AbortSignal | undefined,
): Promise<Socket> {
  let refusal: unknown;
  for (const host of hosts) {
    try {
      return await dial(host, port, signal);
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

function dial(host: string, port: number, signal: AbortSignal | undefined): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true });
    const onAbort = (): void => void socket.destroy(new Error('nobody waits for it now'));
    const timer = setTimeout(
      () => socket.destroy(new Error(`no connection within ${DIAL_MS} ms`)),
      DIAL_MS,
    );
    const over = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    const fail = (error: Error): void => {
      over();
      reject(error);
    };
    socket.once('error', fail);
    signal?.addEventListener('abort', onAbort);
    if (signal?.aborted === true) onAbort();
    socket.once('connect', () => {
      over();
      // Whoever awaits the socket listens before an error can come: no event lies between two microtasks.
      queueMicrotask(() => socket.off('error', fail));
      resolve(socket);
    });
  });
}
