import type { Socket } from 'node:net';
import ssh2, { type Client, type ClientErrorExtensions } from 'ssh2';
import { EpmuxError } from '../../protocol/errors.ts';
import { type Address, hostPort } from '../../runtime/address.ts';
import { attempt, type Settle, unlessAborted } from '../../runtime/attempt.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Dialer } from '../dial.ts';
import { Authenticator } from './authenticator.ts';
import { SshConnection } from './connection.ts';
import { authenticateEarly } from './early-authentication.ts';
import type { ChannelRequest, EarlyChannel } from './early-channel.ts';
import { Entry } from './entry.ts';
import type { HostKeyCheck, HostKeys } from './host-keys.ts';
import type { Identities, IdentitySet } from './identities.ts';
import { reusePacketMemory } from './packet-memory.ts';
import { watchSilence } from './silence.ts';
import { leaveHostKeysUnasked } from './unasked-host-keys.ts';
import { UnhurriedHosts } from './unhurried-hosts.ts';

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
/** A server that says nothing for so long, before anybody may have to be asked for a key, is tried once more: the path may have broken just now. */
const SILENT_S = 4;
/** A question to the server when it has been silent; the answer shows that it lives. */
const KEEPALIVE_MS = 3_000;

const CIPHERS = [
  'aes128-gcm@openssh.com',
  'aes256-gcm@openssh.com',
  'chacha20-poly1305@openssh.com',
  'aes128-ctr',
  'aes192-ctr',
  'aes256-ctr',
] as const;

const unhurried = new UnhurriedHosts();

/** A client that has authenticated; or not a byte came for so long before the keys were exchanged; or the server ended the connection rather than answer what came early. */
type Outcome =
  | { readonly client: Client; readonly early: EarlyChannel | undefined }
  | 'silent'
  | 'cut off';

interface Patience {
  readonly silentS: number;
  readonly first: () => ChannelRequest | undefined;
}

/**
 * An authenticated connection. `first`: looked at when the server is asked to let the user in, for a channel that may be asked for along with it. Throws what the dialer throws, HOST_KEY_UNKNOWN, HOST_KEY_MISMATCH, SSH_KEY_UNUSABLE, SSH_AUTH_REFUSED, or CONNECT_FAILED
 * when what answers is no SSH server or the connection broke.
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
    return await open(options, check, identities, signal, { silentS: SILENT_S, first: early });
  } finally {
    identities.dispose();
  }
}

async function open(
  options: SshOptions,
  check: HostKeyCheck,
  identities: IdentitySet,
  signal: AbortSignal,
  patience: Patience,
): Promise<SshConnection> {
  const { address, clock, logger } = options;
  const at = hostPort(address);
  const socket = await options.dial(address, signal);
  const outcome = await authenticate(options, socket, check, identities, signal, patience);
  if (typeof outcome === 'object') {
    if (outcome.early !== undefined) logger.debug('a channel came along with the way in', { at });
    return new SshConnection(outcome.client, socket, at, clock, outcome.early);
  }
  socket.destroy();
  logger.debug('another SSH connection is tried', { at, why: outcome });
  if (outcome === 'silent') {
    const silentS = Number.POSITIVE_INFINITY;
    return open(options, check, identities, signal, { ...patience, silentS });
  }
  const again = await open(options, check, identities, signal, { ...patience, first: nothing });
  unhurried.add(at);
  return again;
}

function nothing(): undefined {}

function authenticate(
  options: SshOptions,
  socket: Socket,
  check: HostKeyCheck,
  identities: IdentitySet,
  signal: AbortSignal,
  patience: Patience,
): Promise<Outcome> {
  const at = hostPort(options.address);
  return attempt<Outcome>(
    {
      what: `connecting to ${at}`,
      signal,
      clock: options.clock,
      limitMs: READY_LIMIT_MS,
      late: () =>
        new EpmuxError('CONNECT_FAILED', `${at} did not finish the SSH handshake within 15 s`),
    },
    (settle) => {
      const client = new ssh2.Client();
      const authenticator = new Authenticator(options.user, at, identities);
      const entry = new Entry({
        client,
        user: options.user,
        authenticator,
        first: patience.first,
        clock: options.clock,
        onRefused: settle.fail,
        onUnanswered: () => settle.succeed('cut off'),
      });
      watch(client, at, authenticator, entry, options.logger, settle);
      reusePacketMemory(client, socket);
      authenticateEarly(client);
      leaveHostKeysUnasked(client);
      try {
        client.connect({
          sock: socket,
          username: options.user,
          readyTimeout: 0,
          keepaliveInterval: KEEPALIVE_MS,
          // The connection itself decides when it is dead: ssh2 takes a reply stuck behind bulk for silence.
          keepaliveCountMax: Number.POSITIVE_INFINITY,
          algorithms: { cipher: [...CIPHERS], serverHostKey: [...check.algorithms] },
          hostVerifier: hostVerifier(check, settle),
          authHandler: entry.handler,
        });
      } catch (cause) {
        settle.fail(new EpmuxError('INTERNAL', `SSH to ${at} could not begin`, { cause }));
      }
      const unwatch = watchSilence(
        () => socket.bytesRead,
        options.clock,
        () => settle.succeed('silent'),
        patience.silentS,
      );
      client.once('handshake', unwatch);
      return () => {
        unwatch();
        socket.destroy();
      };
    },
  );
}

/** Asks once; when keys are exchanged again later, the server has to show the same one. */
function hostVerifier(check: HostKeyCheck, settle: Settle<Outcome>) {
  let trusted: Buffer | undefined;
  return (key: Buffer, verify: (valid: boolean) => void): void => {
    if (trusted !== undefined) {
      verify(trusted.equals(key));
      return;
    }
    const shown = Buffer.from(key);
    check.verify(shown).then(
      () => {
        trusted = shown;
        verify(true);
      },
      (error: unknown) => {
        settle.fail(EpmuxError.from(error, 'INTERNAL', 'the host key could not be checked'));
        verify(false);
      },
    );
  };
}

function watch(
  client: Client,
  at: string,
  authenticator: Authenticator,
  entry: Entry,
  logger: Logger,
  settle: Settle<Outcome>,
): void {
  const fail = (error: EpmuxError): void => {
    // Had it answered, whether it lets the user in or not, this would be settled.
    if (entry.early !== undefined) settle.succeed('cut off');
    else settle.fail(error);
  };
  const broke = (why: string, cause?: unknown): void =>
    fail(new EpmuxError('CONNECT_FAILED', `${at} ${why}`, { cause }));
  client.once('ready', () => settle.succeed({ client, early: entry.early }));
  client.on('banner', (message) =>
    logger.debug('SSH banner', { at, message: message.slice(0, 1_024) }),
  );
  // Also after success, and for as long as the client lives: an 'error' without a listener ends the process.
  client.on('error', (error: Error & ClientErrorExtensions) => {
    const { level, message } = error;
    if (level === 'agent' || level === 'client-authentication') {
      logger.debug('SSH authentication', { at, message });
    } else if (level === 'client-socket') {
      broke(`broke the connection during the SSH handshake: ${message}`, error);
    } else if (level === undefined && entry.hasBegun) {
      fail(authenticator.refused(message));
    } else {
      broke(`is no SSH server that epmux can talk to: ${message}`, error);
    }
  });
  const closed = (): void =>
    broke(
      `closed the connection during the SSH ${entry.hasBegun ? 'authentication' : 'handshake'}`,
    );
  client.once('end', closed);
  client.once('close', closed);
}
