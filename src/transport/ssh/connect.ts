import type { Socket } from 'node:net';
import ssh2 from 'ssh2';
import { EpmuxError } from '../../protocol/errors.ts';
import { type Address, hostPort } from '../../runtime/address.ts';
import { attempt, unlessAborted } from '../../runtime/attempt.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Dialer } from '../dial.ts';
import { Authenticator } from './authenticator.ts';
import { SshConnection } from './connection.ts';
import { authenticateEarly } from './early-authentication.ts';
import type { ChannelRequest } from './early-channel.ts';
import { Entry } from './entry.ts';
import type { HostKeyCheck, HostKeys } from './host-keys.ts';
import type { Identities, IdentitySet } from './identities.ts';
import { reusePacketMemory } from './packet-memory.ts';
import { watchSilence } from './silence.ts';
import { leaveHostKeysUnasked } from './unasked-host-keys.ts';
import { UnhurriedHosts } from './unhurried-hosts.ts';
import { hostVerifier, type Outcome, watch } from './watch.ts';

export interface SshOptions {
  readonly address: Address;
  readonly user: string;
  readonly dial: Dialer;
  readonly hostKeys: HostKeys;
  readonly identities: Identities;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** From the TCP connection to the end of authentication. */
const READY_LIMIT_MS = 15_000;
/**
 * A server that says nothing for so long, before anybody may have to be asked for a key, is tried
 * once more: the path may have broken just now.
 */
const SILENT_S = 4;
const SETTINGS = {
  /** The attempt has the limit. */
  readyTimeout: 0,
  /** A question to the server when it has been silent; the answer shows that it lives. */
  keepaliveInterval: 3_000,
  /**
   * The connection itself decides when it is dead: ssh2 takes a reply stuck behind bulk for
   * silence.
   */
  keepaliveCountMax: Number.POSITIVE_INFINITY,
} as const;

const CIPHERS = [
  'aes128-gcm@openssh.com',
  'aes256-gcm@openssh.com',
  'chacha20-poly1305@openssh.com',
  'aes128-ctr',
  'aes192-ctr',
  'aes256-ctr',
] as const;

const unhurried = new UnhurriedHosts();

/** One go at the server, and what differs in the next. */
interface Approach {
  readonly options: SshOptions;
  readonly check: HostKeyCheck;
  readonly identities: IdentitySet;
  readonly signal: AbortSignal;
  readonly silentS: number;
  readonly first: () => ChannelRequest | undefined;
}

/**
 * An authenticated connection. `first`: looked at when the server is asked to let the user in, for
 * a channel that may be asked for along with it. Throws what the dialer throws, HOST_KEY_UNKNOWN,
 * HOST_KEY_MISMATCH, SSH_KEY_UNUSABLE, SSH_AUTH_REFUSED, or CONNECT_FAILED when what answers is no
 * SSH server or the connection broke.
 */
export async function connectSsh(
  options: SshOptions,
  signal: AbortSignal,
  first: () => ChannelRequest | undefined = nothing,
): Promise<SshConnection> {
  const reading = Promise.all([options.hostKeys(), options.identities()]);
  const [check, identities] = await unlessAborted(reading, 'reading the keys', signal).catch(
    (error: unknown) => {
      reading.then(([, late]) => late.dispose()).catch(nothing);
      throw error;
    },
  );
  try {
    const early = unhurried.has(hostPort(options.address)) ? nothing : first;
    return await open({ options, check, identities, signal, silentS: SILENT_S, first: early });
  } finally {
    identities.dispose();
  }
}

async function open(approach: Approach): Promise<SshConnection> {
  const { options, signal } = approach;
  const { address, clock, logger } = options;
  const at = hostPort(address);
  const socket = await options.dial(address, signal);
  const outcome = await authenticate(approach, socket, at);
  if (typeof outcome === 'object') {
    if (outcome.early !== undefined) logger.debug('a channel came along with the way in', { at });
    return new SshConnection(outcome.client, socket, at, clock, outcome.early);
  }
  socket.destroy();
  logger.debug('another SSH connection is tried', { at, why: outcome });
  if (outcome === 'silent') {
    return open({ ...approach, silentS: Number.POSITIVE_INFINITY });
  }
  const again = await open({ ...approach, first: nothing });
  unhurried.add(at);
  return again;
}

function nothing(): undefined {}

function authenticate(approach: Approach, socket: Socket, at: string): Promise<Outcome> {
  const { options, check, identities, signal, silentS, first } = approach;
  const { user, clock, logger } = options;
  const late = (): EpmuxError =>
    new EpmuxError('CONNECT_FAILED', `${at} did not finish the SSH handshake within 15 s`);
  return attempt<Outcome>(
    { what: `connecting to ${at}`, signal, clock, limitMs: READY_LIMIT_MS, late },
    (settle) => {
      const client = new ssh2.Client();
      const authenticator = new Authenticator(user, at, identities);
      const entry = new Entry({
        client,
        user,
        authenticator,
        first,
        clock,
        onRefused: settle.fail,
        onUnanswered: () => settle.succeed('cut off'),
      });
      watch({ client, at, entry, authenticator, settle, logger });
      reusePacketMemory(client, socket);
      authenticateEarly(client);
      leaveHostKeysUnasked(client);
      try {
        client.connect({
          ...SETTINGS,
          sock: socket,
          username: user,
          algorithms: { cipher: [...CIPHERS], serverHostKey: [...check.algorithms] },
          hostVerifier: hostVerifier(check, settle),
          authHandler: entry.handler,
        });
      } catch (cause) {
        settle.fail(new EpmuxError('INTERNAL', `SSH to ${at} could not begin`, { cause }));
      }
      const unwatch = watchSilence(
        () => socket.bytesRead,
        clock,
        () => settle.succeed('silent'),
        silentS,
      );
      client.once('handshake', unwatch);
      return () => {
        unwatch();
        socket.destroy();
      };
    },
  );
}
