import type { Cleanup } from './cleanup.ts';
import { plainEnvironment } from './erlang.ts';
import { startProgram } from './program.ts';
import { startSshServer } from './ssh-server.ts';

const START_MS = 15_000;
export const DYNO_USER = 'demo';

export interface DynoOptions {
  readonly home: string;
  /** How this program runs itself: node, its options and the main script. */
  readonly self: readonly [string, ...string[]];
  readonly secret: string;
  /** What the SSH server lets in. */
  readonly publicKey: string;
  readonly epmdPort: number;
  readonly interrupted: AbortSignal;
  readonly cleanup: Cleanup;
}

export interface Dyno {
  readonly agentPort: number;
  readonly sshPort: number;
  readonly knownHostsLine: string;
  /** Resets every SSH connection; how many there were. */
  cut(): number;
}

/** The rest of the embedded dyno, around its node: the agent as a process of its own, and the way in. */
export async function startDyno(options: DynoOptions): Promise<Dyno> {
  const { home, self, secret, publicKey, epmdPort, interrupted, cleanup } = options;
  const agent = startProgram({
    title: 'the agent',
    command: [...self, 'agent', '--port', '0', '--epmd-port', String(epmdPort)],
    env: { ...plainEnvironment(), HOME: home, EPMUX_SECRET: secret },
  });
  cleanup.add('the agent', () => agent.stop());
  const [, port] = await agent.line(/listening .*address=\S+:(\d+)/, START_MS, interrupted);
  const agentPort = Number(port);

  const ssh = await startSshServer({
    user: DYNO_USER,
    publicKey,
    mayForward: (port) => port === agentPort,
  });
  cleanup.add('the SSH server', () => ssh.close());
  return {
    agentPort,
    sshPort: ssh.port,
    knownHostsLine: ssh.knownHostsLine,
    cut: () => ssh.cut(),
  };
}
