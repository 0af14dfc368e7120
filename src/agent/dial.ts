import { connect, type Socket } from 'node:net';
import { EpmuxError } from '../protocol/errors.ts';
import { LOOPBACK } from '../runtime/address.ts';
import { attempt } from '../runtime/attempt.ts';
import type { Clock } from '../runtime/clock.ts';
import { isExhaustion } from '../runtime/descriptors.ts';
import { knownInterfaces } from '../runtime/interfaces.ts';
import { systemCode } from '../runtime/system-error.ts';

/** A connection within one host is there at once or not at all. */
const DIAL_MS = 3_000;
const LOOPBACKS = [LOOPBACK, '::1'] as const;
/** Nothing listens on this address, or this host has none of its kind: another one may do. */
const TRY_NEXT = new Set(['ECONNREFUSED', 'EADDRNOTAVAIL', 'EAFNOSUPPORT', 'ENETUNREACH']);

/**
 * A connection to a port of the loopback. Fails with CONNECT_FAILED, BUSY when no descriptor is
 * left, and the abort's error.
 */
export function dialLoopback(port: number, clock: Clock, signal?: AbortSignal): Promise<Socket> {
  return dialFirst(port, LOOPBACKS, clock, signal);
}

/**
 * The same; where the loopback refuses, on this host's own addresses: a node may listen on one of
 * them alone.
 */
export function dialOwnHost(port: number, clock: Clock, signal?: AbortSignal): Promise<Socket> {
  return dialFirst(port, ownHosts(), clock, signal);
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
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<Socket> {
  let first: unknown;
  for (const host of hosts) {
    try {
      return await dial(host, port, clock, signal);
    } catch (error) {
      first ??= error;
      const code = error instanceof EpmuxError ? systemCode(error.cause) : undefined;
      if (!TRY_NEXT.has(code ?? '')) break;
    }
  }
  throw first;
}

function dial(
  host: string,
  port: number,
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<Socket> {
  const limits = {
    what: `connecting to port ${port}`,
    signal,
    clock,
    limitMs: DIAL_MS,
    late: () => unreachable(port, `no connection within ${DIAL_MS} ms`),
  };
  return attempt<Socket>(limits, ({ succeed, fail }) => {
    const socket = connect({ host, port, noDelay: true });
    const refused = (cause: Error): void =>
      fail(isExhaustion(cause) ? noDescriptor(cause) : unreachable(port, cause.message, cause));
    socket.on('error', refused);
    socket.once('connect', () => {
      // Whoever awaits the socket listens before an error can come: no event lies between two
      // microtasks.
      queueMicrotask(() => socket.off('error', refused));
      succeed(socket);
    });
    return () => socket.destroy();
  });
}

function unreachable(port: number, why: string, cause?: Error): EpmuxError {
  return new EpmuxError('CONNECT_FAILED', `port ${port} could not be reached: ${why}`, { cause });
}

function noDescriptor(cause: Error): EpmuxError {
  return new EpmuxError('BUSY', `no file descriptor is free here: ${cause.message}`, { cause });
}
