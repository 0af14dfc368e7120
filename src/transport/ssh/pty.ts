import type { Client } from 'ssh2';
import type { Logger } from '../../runtime/logger.ts';

/** Does nothing for as long as the connection lives; some 68 years, the most that every `sleep` takes. */
const IDLE_COMMAND = 'exec sleep 2147483647';

/**
 * Holds a session with a terminal on the connection. OpenSSH's server sets TCP_NODELAY for such connections alone; without it small messages
 * wait for an acknowledgement, 40 ms or a round trip. A server that refuses is used as it is.
 */
export function holdTerminal(client: Client, label: string, logger: Logger): void {
  const without = (why: string): void =>
    logger.debug('no terminal is held: small messages may be slow', { at: label, why });
  try {
    client.exec(IDLE_COMMAND, { pty: { term: 'dumb' } }, (error, channel) => {
      if (error !== undefined) {
        without(error.message);
        return;
      }
      channel.on('error', (cause: Error) => without(cause.message));
      channel.resume();
      channel.stderr.resume();
    });
  } catch (error) {
    without((error as Error).message);
  }
}
