import { EpmuxError } from '../protocol/errors.ts';
import { type Address, hostPort, portOf, splitHostPort } from '../runtime/address.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Dialer } from '../transport/dial.ts';
import { dialNow } from '../transport/dial-now.ts';
import { loadSsh } from '../transport/ssh/load.ts';
import { pinnedHostKey } from '../transport/ssh/pinned-host-key.ts';
import type { Transport } from '../transport/transport.ts';
import type { ExecManager } from './exec-manager.ts';
import type { SshKeyPair } from './keys.ts';

export interface HerokuTransportOptions {
  readonly app: string;
  /** `web.1` */
  readonly dyno: string;
  readonly manager: Pick<ExecManager, 'register'>;
  /** The tunnel run's pair. */
  readonly keys: () => Promise<SshKeyPair>;
  readonly dial: Dialer;
  /** On the dyno's loopback; 9001 unless told. */
  readonly agentPort?: number | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Heroku's SSH gates listen where every firewall lets HTTP pass. */
const SSH_PORT = 80;

/**
 * The way into one dyno: the key is registered anew for each connection, for a dyno that restarted
 * knows nothing of it. Throws what `register` and an SSH connection throw.
 */
export function herokuTransport(options: HerokuTransportOptions): Transport {
  const { app, dyno, manager, dial, agentPort, clock, logger } = options;
  const target = `heroku://${app}/${dyno}`;
  return {
    target,
    async connect(signal, first) {
      const keys = await options.keys();
      const reservation = await manager.register(dyno, keys.publicKey, signal);
      const address = tunnelAddress(reservation.tunnel_host);
      const dialled = dialNow(dial, address, signal);
      try {
        const { registeredKey, sshTransport } = await loadSsh();
        const ssh = sshTransport({
          target,
          address,
          user: reservation.client_user,
          hostKeys: pinnedHostKey(
            reservation.proxy_public_key,
            hostPort(address),
            'Heroku’s exec manager',
          ),
          identities: registeredKey(keys.privateKey, 'the key just registered'),
          dial: dialled.dial,
          agentPort,
          clock,
          logger,
        });
        return await ssh.connect(signal, first);
      } catch (error) {
        dialled.drop();
        throw withOwnHint(error, app, dyno);
      }
    },
  };
}

/** `host` or `host:port`, an IPv6 address in brackets. */
export function tunnelAddress(tunnelHost: string): Address {
  const { host, port: digits } = splitHostPort(tunnelHost) ?? {};
  const port = digits === undefined ? SSH_PORT : portOf(digits);
  if (host !== undefined && port !== undefined) return { host, port };
  throw new EpmuxError(
    'HEROKU_ANSWER_INVALID',
    'Heroku’s exec manager named a tunnel_host that is none',
  );
}

/** What SSH advises, such as other key files, helps nobody here. */
function withOwnHint(error: unknown, app: string, dyno: string): unknown {
  if (EpmuxError.is(error, 'SSH_AUTH_REFUSED')) {
    return error.with({
      hint: `${dyno} may have just restarted: try again; \`heroku ps -a ${app}\` shows its state`,
    });
  }
  if (EpmuxError.is(error, 'CONNECT_FAILED')) {
    return error.with({
      message: `${dyno} of ${app} could not be reached: ${error.message}`,
      hint: 'a firewall may let nothing but HTTP through port 80, or the dyno has just restarted: try again, another network, or --via a SOCKS proxy',
    });
  }
  if (EpmuxError.is(error, 'HOST_KEY_MISMATCH')) {
    return error.with({
      hint: `nothing was sent; ${dyno} may have just restarted: try again, and if it stays so, somebody may be in between: try another network`,
    });
  }
  return error;
}
