import { connect, isIP, type Socket } from 'node:net';
import { EpmuxError } from '../protocol/errors.ts';
import { type Address, hostPort } from '../runtime/address.ts';
import { attempt } from '../runtime/attempt.ts';
import type { Clock } from '../runtime/clock.ts';
import { ConnectionRace } from './connection-race.ts';
import { type LookUp, lookUps } from './look-up.ts';

/**
 * Gives a connected socket with TCP_NODELAY that may be half closed and that nobody reads yet.
 * Throws HOST_UNKNOWN, CONNECT_FAILED or the abort's error.
 */
export type Dialer = (to: Address, signal: AbortSignal) => Promise<Socket>;

/** Name look-up and connection together. */
const CONNECT_LIMIT_MS = 10_000;
/**
 * The operating system's own look whether the other end is still there, for sockets on which
 * nothing moves.
 */
const KEEPALIVE_MS = 15_000;

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

export interface DialPorts {
  readonly lookUp?: LookUp;
  /** Begins to connect to an address. */
  readonly open?: (to: Address) => Socket;
}

export function directDialer(
  clock: Clock,
  { lookUp = lookUps.find, open = openSocket }: DialPorts = {},
): Dialer {
  return (to, signal) => {
    let race: ConnectionRace | undefined;
    return attempt<Socket>(
      {
        what: `connecting to ${hostPort(to)}`,
        signal,
        clock,
        limitMs: CONNECT_LIMIT_MS,
        late: () => lateError(race, to),
      },
      ({ succeed, fail }) => {
        const onFailed = (error: Error): void => fail(connectError(error, to));
        const { port } = to;
        let isOver = false;
        const begin = (addresses: readonly string[]): void => {
          if (isOver) return;
          race = new ConnectionRace({
            addresses,
            port,
            clock,
            open,
            onConnected: succeed,
            onFailed,
          });
        };
        if (isIP(to.host) > 0) begin([to.host]);
        else lookUp(to.host).then(begin).catch(onFailed);
        return () => {
          isOver = true;
          race?.end();
        };
      },
    );
  };
}

function lateError(race: ConnectionRace | undefined, to: Address): EpmuxError {
  const seconds = CONNECT_LIMIT_MS / 1_000;
  if (race === undefined) return notLookedUp(to, `was not looked up within ${seconds} s`);
  return race.failure === undefined
    ? new EpmuxError('CONNECT_FAILED', `${hostPort(to)} did not answer within ${seconds} s`)
    : connectError(race.failure, to);
}

function notLookedUp({ host }: Address, why: string, cause?: Error): EpmuxError {
  return new EpmuxError('CONNECT_FAILED', `the name ${host} ${why}`, {
    cause,
    hint: 'check that this machine has a network and a name server',
  });
}

/**
 * What a person has to know of each, the most telling first where several addresses failed in
 * different ways.
 */
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
    return notLookedUp(to, "can't be looked up now", error);
  }
  const known = Object.keys(REASONS).find((code) => codes.includes(code));
  const why = known === undefined ? `failed: ${error.message}` : REASONS[known];
  return new EpmuxError('CONNECT_FAILED', `${hostPort(to)} ${why}`, { cause: error });
}
