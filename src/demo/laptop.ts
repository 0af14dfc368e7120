import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Leading, LinkStatus, NodeStatus, TunnelSpec } from '../daemon/control/api.ts';
import { type ControlClient, connectDaemon } from '../daemon/control/client.ts';
import { daemonPaths } from '../daemon/paths.ts';
import { EpmuxError } from '../protocol/errors.ts';
import type { Cleanup } from './cleanup.ts';
import { DYNO_USER, type Dyno } from './dyno.ts';
import { plainEnvironment } from './erlang.ts';
import { LOOPBACK } from './loopback.ts';
import { startProgram } from './program.ts';
import { until } from './until.ts';

const START_MS = 15_000;
const NODES_MS = 10_000;
const PING_MS = 5_000;
const RESUME_MS = 15_000;
const TUNNEL = 'demo';

export interface LaptopOptions {
  /** A home folder of its own, and so a ~/.ssh of its own. */
  readonly home: string;
  readonly epmuxHome: string;
  /** How this program runs itself: node, its options and the main script. */
  readonly self: readonly [string, ...string[]];
  readonly privateKey: string;
  readonly knownHostsLine: string;
  readonly interrupted: AbortSignal;
  readonly cleanup: Cleanup;
}

/** The laptop's side: a daemon of the demo's own, as a process, and its control socket. */
export interface Laptop {
  up(dyno: Dyno, secrets: { readonly secret: string }): Promise<Leading>;
  /** The node, as soon as it is reachable. */
  node(name: string): Promise<NodeStatus>;
  /** The round-trip time of a ping to the only node; fails when it is no pong. */
  ping(timeoutMs?: number): Promise<number>;
  link(): Promise<LinkStatus>;
  /** The link, as soon as its session has been resumed more often than `resumes`. */
  resumed(resumes: number): Promise<LinkStatus>;
}

export async function startLaptop(options: LaptopOptions): Promise<Laptop> {
  const { home, epmuxHome, self, interrupted, cleanup } = options;
  const identityFile = join(home, '.ssh', 'id_ed25519');
  await mkdir(join(home, '.ssh'), { recursive: true, mode: 0o700 });
  await writeFile(join(home, '.ssh', 'known_hosts'), `${options.knownHostsLine}\n`);
  await writeFile(identityFile, options.privateKey, { mode: 0o600 });

  const env = { ...plainEnvironment(), HOME: home, EPMUX_HOME: epmuxHome };
  const daemon = startProgram({ title: 'the daemon', command: [...self, 'daemon'], env });
  cleanup.add('the daemon', () => daemon.stop());
  const client = await until('the daemon', START_MS, interrupted, () => {
    daemon.assertRuns();
    return reach(epmuxHome);
  });
  cleanup.add('the control connection', async () => client.close());

  const link = async (): Promise<LinkStatus | undefined> => {
    const status = await client.call('status', { name: TUNNEL }, { signal: interrupted });
    return status.tunnels[0]?.links[0];
  };
  return {
    async up(dyno, secrets) {
      const spec = tunnelTo(dyno, identityFile);
      const up = { spec, secrets };
      return (await client.call('up', up, { signal: interrupted })).leading;
    },
    node: (name) =>
      until(`node ${name}`, NODES_MS, interrupted, async () => {
        const status = await client.call('status', { name: TUNNEL }, { signal: interrupted });
        return status.tunnels[0]?.nodes.find((node) => node.name === name && node.state === 'up');
      }),
    async ping(timeoutMs = PING_MS) {
      const result = await client.call('ping', { timeoutMs }, { signal: interrupted });
      if (result.pong && result.rttMs !== null) return result.rttMs;
      const { code = 'NODE_UNREACHABLE', message = 'pang' } = result.error ?? {};
      throw new EpmuxError(code, `${result.node}: ${message}`);
    },
    link: () => until('the link', NODES_MS, interrupted, link),
    resumed: (resumes) =>
      until('the link to resume', RESUME_MS, interrupted, async () => {
        const now = await link();
        return now?.state === 'up' && now.resumes > resumes ? now : undefined;
      }),
  };
}

function tunnelTo(dyno: Dyno, identityFile: string): TunnelSpec {
  return {
    name: TUNNEL,
    way: { kind: 'ssh', user: DYNO_USER, host: LOOPBACK, port: dyno.sshPort, identityFile },
    agent: 'require',
    agentPort: dyno.agentPort,
    hiddenOnly: false,
  };
}

async function reach(epmuxHome: string): Promise<ControlClient | undefined> {
  try {
    return await connectDaemon(daemonPaths({ EPMUX_HOME: epmuxHome }));
  } catch (error) {
    if (error instanceof EpmuxError && error.code === 'DAEMON_NOT_RUNNING') return undefined;
    throw error;
  }
}
