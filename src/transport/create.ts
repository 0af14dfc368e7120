import { join } from 'node:path';
import { hostPort } from '../runtime/address.ts';
import type { Clock } from '../runtime/clock.ts';
import { homeFolder } from '../runtime/home.ts';
import type { Logger } from '../runtime/logger.ts';
import { commandTransport } from './command.ts';
import { type Dialer, directDialer } from './dial.ts';
import { socksDialer } from './socks.ts';
import { parseSocksProxy } from './socks-url.ts';
import { fileHostKeys } from './ssh/host-key-files.ts';
import { loadSsh } from './ssh/load.ts';
import { tcpTransport } from './tcp.ts';
import type { Transport } from './transport.ts';
import type { PlainWay } from './way.ts';

export interface TransportOptions {
  /** The agent's port on the dyno's loopback, for SSH; 9001 unless told. */
  readonly agentPort?: number | undefined;
  /** `socks5://[user:pass@]host:port`; a command finds its own way. */
  readonly via?: string | undefined;
  /**
   * The fingerprint (`SHA256:…`) of a new SSH host key that a person has accepted; it serves until
   * it stands in a file.
   */
  readonly acceptHostKey?: string | undefined;
  /** It does. */
  readonly onHostKeyKept?: ((fingerprint: string) => void) | undefined;
  readonly sshAuthSock?: string | undefined;
  /** The environment of `--command`. */
  readonly env: NodeJS.ProcessEnv;
  /** Where `--command` runs; where this process does unless given. */
  readonly folder?: string | undefined;
  /** Where `.ssh` is; the user's own home folder unless given. */
  readonly home?: string | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

const SYSTEM_KNOWN_HOSTS = '/etc/ssh/ssh_known_hosts';

/**
 * Directly, or through the SOCKS proxy, which was written behind `label`. USAGE when `via` can't be
 * read.
 */
export function createDialer(via: string | undefined, clock: Clock, label?: string): Dialer {
  const direct = directDialer(clock);
  return via === undefined ? direct : socksDialer(parseSocksProxy(via, label), direct, clock);
}

/** The way to one dyno. USAGE when `via` can't be read. */
export function createTransport(way: PlainWay, options: TransportOptions): Transport {
  const { clock, logger } = options;
  if (way.kind === 'command') {
    const { env, folder } = options;
    return commandTransport({ command: way.command, env, folder, clock, logger });
  }
  const dial = createDialer(options.via, clock);
  const { host, port } = way;
  return way.kind === 'connect'
    ? tcpTransport({ host, port }, dial)
    : ownSshTransport(way, dial, options);
}

/**
 * By the keys in the user's home folder and the hosts that are known there. ssh2 is loaded with the
 * first connection.
 */
function ownSshTransport(
  way: Extract<PlainWay, { kind: 'ssh' }>,
  dial: Dialer,
  options: TransportOptions,
): Transport {
  const { clock, logger } = options;
  const address = { host: way.host, port: way.port };
  const target = `ssh://${way.user}@${hostPort(address)}`;
  let accepted = options.acceptHostKey;
  const onKept = () => {
    if (accepted !== undefined) options.onHostKeyKept?.(accepted);
    accepted = undefined;
  };
  return {
    target,
    async connect(signal, first) {
      const ssh = await loadSsh();
      const folder = join(options.home ?? homeFolder(process.env), '.ssh');
      const transport = ssh.sshTransport({
        target,
        address,
        user: way.user,
        agentPort: options.agentPort,
        dial,
        hostKeys: fileHostKeys({
          address,
          file: join(folder, 'known_hosts'),
          readOnlyFiles: [SYSTEM_KNOWN_HOSTS],
          accepted: () => accepted,
          onKept,
          logger,
        }),
        identities: ssh.personalIdentities({
          folder,
          identityFile: way.identityFile,
          sshAuthSock: options.sshAuthSock,
          logger,
        }),
        clock,
        logger,
      });
      return transport.connect(signal, first);
    },
  };
}
