import type { Logger } from '../../runtime/logger.ts';
import type { SshConnection } from './connection.ts';

/**
 * Reads a terminal on which nothing is ever typed, and ends when it is gone. A `sleep` would
 * outlive a cut that comes before the server's child has taken the terminal for its own: no hangup
 * reaches it then.
 */
const IDLE_COMMAND = 'exec cat >/dev/null';

/**
 * How often in a row a server went away when it was asked for a terminal: an OpenSSH server without
 * root does where /dev/pts is not mounted for it. Once may be chance.
 */
const timesGone = new Map<string, number>();
const CHANCE = 1;

/**
 * Holds a session with a terminal on the connection. OpenSSH's server sets TCP_NODELAY for such
 * connections alone; without it small messages wait for an acknowledgement, 40 ms or a round trip.
 * A server that refuses is used as it is; one that ends the connection instead is not asked again
 * for as long as this process lives.
 */
export function holdTerminal(connection: SshConnection, server: string, logger: Logger): void {
  const without = (why: string): void =>
    logger.debug('no terminal is held: small messages may be slow', { server, why });
  const before = timesGone.get(server) ?? 0;
  if (before > CHANCE) {
    without('it ended the connection when it was asked for one');
    return;
  }
  try {
    connection.client.exec(IDLE_COMMAND, { pty: { term: 'dumb' } }, (error, channel) => {
      if (connection.lost) timesGone.set(server, before + 1);
      else timesGone.delete(server);
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
