import { lookup } from 'node:dns/promises';
import type { Socket } from 'node:net';
import { EpmuxError } from '../../protocol/errors.ts';
import { type Address, hostPort } from '../../runtime/address.ts';
import { connectError, type Dialer } from '../../transport/dial.ts';
import type { Carrier, Transport } from '../../transport/transport.ts';
import { type Check, type Finding, ok } from './check.ts';

const HOST_KEY_WRONG = ['HOST_KEY_UNKNOWN', 'HOST_KEY_MISMATCH'] as const;
const LOGIN_WRONG = ['SSH_AUTH_REFUSED', 'SSH_KEY_UNUSABLE'] as const;

export interface SshContext {
  readonly transport: Transport;
  /** Learned: the connection, or why there is none. */
  attempt?: Promise<Carrier>;
}

/** A host and what is reached there, an SSH server or a port that something forwards. */
export interface HostContext extends SshContext {
  readonly address: Address;
  /** With a proxy in between it is the proxy that resolves. */
  readonly isProxied: boolean;
  readonly resolve: (host: string) => Promise<readonly string[]>;
  readonly dial: Dialer;
}

const RESOLVE: Check<HostContext> = {
  id: 'host',
  title: 'host name',
  vital: true,
  async look({ address, isProxied, resolve }) {
    if (isProxied) return ok(`${address.host} is looked up by the proxy`);
    return ok(`${address.host} is ${(await resolve(address.host)).join(', ')}`);
  },
};

const TCP: Check<HostContext> = {
  id: 'tcp',
  title: 'TCP',
  vital: true,
  async look({ address, isProxied, dial }, signal) {
    const socket: Socket = await dial(address, signal);
    socket.destroy();
    return ok(`${hostPort(address)} takes connections${isProxied ? ' through the proxy' : ''}`);
  },
};

const HOST_KEY: Check<HostContext> = {
  id: 'host-key',
  title: 'host key',
  vital: true,
  look: (context, signal) => lookAtHostKey(context, 'is the one that known_hosts has', signal),
};

const LOGIN: Check<HostContext> = { id: 'login', title: 'SSH', vital: true, look: lookAtLogin };

/** Leaves a carrier in the context when all are fine. */
export const SSH_CHECKS: readonly Check<HostContext>[] = [RESOLVE, TCP, HOST_KEY, LOGIN];
/** Of a port that something forwards. */
export const PORT_CHECKS: readonly Check<HostContext>[] = [RESOLVE, TCP];

/** Throws HOST_UNKNOWN, or CONNECT_FAILED when nobody can be asked. */
export async function resolveHost(host: string): Promise<readonly string[]> {
  try {
    const found = await lookup(host, { all: true });
    return [...new Set(found.map(({ address }) => address))].slice(0, 4);
  } catch (cause) {
    throw connectError(cause as NodeJS.ErrnoException, { host, port: 0 });
  }
}

/**
 * Connects. Silent when it went wrong before the server showed its key, or somewhere else:
 * `lookAtLogin` tells that.
 */
export async function lookAtHostKey(
  context: SshContext,
  good: string,
  signal: AbortSignal,
): Promise<Finding | undefined> {
  context.attempt = context.transport.connect(signal);
  const error: unknown = await context.attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error === undefined) return ok(good);
  if (!(error instanceof EpmuxError)) throw error;
  if (EpmuxError.is(error, ...HOST_KEY_WRONG)) throw error;
  // Keys are tried only after the host's was taken.
  return EpmuxError.is(error, ...LOGIN_WRONG) ? ok(good) : undefined;
}

export async function lookAtLogin({ attempt, transport }: SshContext): Promise<Finding> {
  await attempt;
  return ok(transport.target);
}
