import { connect, type Socket } from 'node:net';
import { EpmuxError } from '../protocol/errors.ts';
import { type Address, hostPort } from '../runtime/address.ts';
import { attempt } from '../runtime/attempt.ts';
import type { Clock } from '../runtime/clock.ts';

/**
 * Gives a connected socket with TCP_NODELAY that may be half closed and that nobody reads yet. Throws HOST_UNKNOWN, CONNECT_FAILED or the
 * abort's error.
 */
export type Dialer = (to: Address, signal: AbortSignal) => Promise<Socket>;

/** Name look-up and connection together. */
const CONNECT_LIMIT_MS = 10_000;
/** The operating system's own look whether the other end is still there, for sockets on which nothing moves. */
const KEEPALIVE_MS = 15_000;

/**
 * What the system's own repetitions (after 1, 3, 7 s) would take seconds to notice: a path that has just come back. So after a second of
 * silence another connection is tried beside the first, and so on.
 */
const AGAIN_MS = 1_000;

function openSocket({ host, port }: Address): Socket {
  return connect({
    host,
    port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEPALIVE_MS,
    allowHalfOpen: true,
  });
}

export function directDialer(clock: Clock, limitMs = CONNECT_LIMIT_MS): Dialer {
  return (to, signal) => {
    const at = hostPort(to);
    return attempt<Socket>(
      {
        what: `connecting to ${at}`,
        signal,
        clock,
        limitMs,
        late: () =>
          new EpmuxError('CONNECT_FAILED', `${at} did not answer within ${limitMs / 1_000} s`),
      },
      ({ succeed, fail }) => {
        const sockets = new Set<Socket>();
        const endOthers = (than?: Socket) => {
          cancelNext();
          for (const socket of sockets) if (socket !== than) socket.destroy();
        };
        let cancelNext = (): void => {};
        const dialOnce = (): void => {
          const socket = openSocket(to);
          sockets.add(socket);
          // Stays on: between two owners a socket's error shows in `destroyed`, and is no uncaught exception.
          socket.on('error', (error: NodeJS.ErrnoException) => fail(connectError(error, to)));
          socket.once('connect', () => {
            endOthers(socket);
            succeed(socket);
          });
          cancelNext = clock.wakeAt(clock.now() + AGAIN_MS, dialOnce);
        };
        dialOnce();
        return () => endOthers();
      },
    );
  };
}

/** What a person has to know of each, the most telling first where several addresses failed in different ways. */
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refused the connection: nothing listens there',
  ECONNRESET: 'reset the connection',
  ETIMEDOUT: 'did not answer',
  EHOSTUNREACH: 'is unreachable: there is no route to it',
  ENETUNREACH: 'is unreachable: this machine has no network that leads there',
  EHOSTDOWN: 'is unreachable: the host is down',
  ENETDOWN: 'is unreachable: the network is down',
  EADDRNOTAVAIL: 'is unreachable from the addresses of this machine',
  EACCES: 'is not allowed by this machine, perhaps by a firewall',
  EPERM: 'is not allowed by this machine, perhaps by a firewall',
};

const NO_SUCH_HOST = ['ENOTFOUND', 'ENODATA', 'EAI_NONAME', 'EAI_NODATA'];

/** HOST_UNKNOWN or CONNECT_FAILED for what a socket said while it connected. */
export function connectError(error: NodeJS.ErrnoException, to: Address): EpmuxError {
  const causes: NodeJS.ErrnoException[] =
    error instanceof AggregateError && error.errors.length > 0 ? error.errors : [error];
  const codes = causes.map((cause) => cause.code ?? '');
  if (codes.some((code) => NO_SUCH_HOST.includes(code))) {
    return new EpmuxError('HOST_UNKNOWN', `no host is called ${to.host}`, { cause: error });
  }
  if (codes.some((code) => code.startsWith('EAI_'))) {
    return new EpmuxError('CONNECT_FAILED', `the name ${to.host} can't be looked up now`, {
      cause: error,
      hint: 'check that this machine has a network and a name server',
    });
  }
  const known = Object.keys(REASONS).find((code) => codes.includes(code));
  const why = known === undefined ? `failed: ${error.message}` : REASONS[known];
  return new EpmuxError('CONNECT_FAILED', `${hostPort(to)} ${why}`, { cause: error });
}
