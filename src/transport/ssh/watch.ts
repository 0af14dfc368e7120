import type { Client, ClientErrorExtensions } from 'ssh2';
import { EpmuxError } from '../../protocol/errors.ts';
import type { Settle } from '../../runtime/attempt.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Authenticator } from './authenticator.ts';
import type { EarlyChannel } from './early-channel.ts';
import type { Entry } from './entry.ts';
import type { HostKeyCheck } from './host-keys.ts';

/**
 * A client that has authenticated; or not a byte came for so long before the keys were exchanged;
 * or the server ended the connection rather than answer what came early.
 */
export type Outcome =
  | { readonly client: Client; readonly early: EarlyChannel | undefined }
  | 'silent'
  | 'cut off';

/** A client on its way in. */
export interface Entering {
  readonly client: Client;
  /** HOST:PORT, for messages. */
  readonly at: string;
  readonly entry: Entry;
  readonly authenticator: Authenticator;
  readonly settle: Settle<Outcome>;
  readonly logger: Logger;
}

/** Asks once; when keys are exchanged again later, the server has to show the same one. */
export function hostVerifier(check: HostKeyCheck, settle: Settle<Outcome>) {
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

/** Settles as the client's events tell: it is in, or why it is not. */
export function watch({ client, at, entry, authenticator, settle, logger }: Entering): void {
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
  // Also after success, and for as long as the client lives: an 'error' without a listener ends the
  // process.
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
