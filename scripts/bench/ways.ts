/** The ways to the service at the far end: none, epmux, and what else a person could use. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { startSshd, type TestSshd } from '../../test/support/sshd.ts';
import type { FrontOptions } from './front.ts';
import { familyOf, start, startServer, stop } from './processes.ts';
import { type Build, PEERS, type Stage } from './stage.ts';

export interface Way {
  /** Leads to the service. */
  readonly port: number;
  /** The processes that relay, and what they have started since; none where there is no relay. */
  relays(): number[];
  stop(): Promise<void>;
}

export interface WayKind {
  readonly key: string;
  readonly title: string;
  /** Idle streams beyond this are not tried, and why. */
  readonly mostIdle?: { readonly streams: number; readonly why: string };
  /** Why it can't be measured here. */
  absent?(): string | undefined;
  /** `hop` stands for the path between the two machines: it gives the port through which another is reached. */
  start(stage: Stage, hop: Hop): Promise<Way>;
}

export type Hop = (port: number) => Promise<number>;

/** Both machines are this one. */
export const NO_PATH: Hop = async (port) => port;

export type Cleanup = () => unknown;

const SOCAT = 'socat';
const LISTEN_MS = 10_000;
const HTTP2_WINDOW_BYTES = 1024 * 1024;

const isThere = (program: string): boolean =>
  spawnSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' }).status === 0;

/** The way whose processes are those that `begin` starts; `port` is the one it gives. */
export async function way(
  begin: (later: (cleanup: Cleanup) => void) => Promise<number>,
): Promise<Way> {
  const cleanups: Cleanup[] = [];
  const stopIt = async (): Promise<void> => {
    for (const cleanup of cleanups.reverse()) await cleanup();
  };
  const before = new Set(familyOf([process.pid]));
  try {
    const port = await begin((cleanup) => cleanups.push(cleanup));
    const roots = familyOf([process.pid]).filter((pid) => !before.has(pid));
    return { port, relays: () => [...new Set(familyOf(roots))], stop: stopIt };
  } catch (error) {
    await stopIt();
    throw error;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function untilListening(port: number): Promise<void> {
  const ends = performance.now() + LISTEN_MS;
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    const reached = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (reached) return;
    if (performance.now() > ends) throw new Error(`nobody listens on ${port}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function server(later: (cleanup: Cleanup) => void, argv: readonly string[], ready?: RegExp) {
  const { child, port } = await startServer(argv, ready);
  later(() => stop(child));
  return port;
}

export async function sshd(later: (cleanup: Cleanup) => void): Promise<TestSshd> {
  const started = await startSshd();
  later(() => started.stop());
  return started;
}

export async function sshForward(
  later: (cleanup: Cleanup) => void,
  hop: Hop,
  to: number,
  cipher: string,
): Promise<number> {
  const { port: sshPort, user, identityFile } = await sshd(later);
  const port = await freePort();
  const settings = [
    'StrictHostKeyChecking=no',
    'UserKnownHostsFile=/dev/null',
    'GlobalKnownHostsFile=/dev/null',
    'ExitOnForwardFailure=yes',
    'IdentitiesOnly=yes',
    'LogLevel=ERROR',
  ];
  const child = start([
    ...['ssh', '-F', 'none', '-N', '-i', identityFile, '-c', cipher],
    ...settings.flatMap((setting) => ['-o', setting]),
    ...['-L', `127.0.0.1:${port}:127.0.0.1:${to}`],
    ...['-p', String(await hop(sshPort)), `${user}@127.0.0.1`],
  ]);
  later(() => stop(child));
  await untilListening(port);
  return port;
}

async function startAgent(
  later: (cleanup: Cleanup) => void,
  stage: Stage,
  build: Build,
): Promise<number> {
  // Nobody listens where it asks for nodes: that is what a host without Erlang costs.
  const epmd = await freePort();
  return server(
    later,
    [
      ...[
        process.execPath,
        ...nodeFlags(),
        build.agent,
        '--port',
        '0',
        '--epmd-port',
        String(epmd),
      ],
      ...['--secret-file', stage.secretFile, '--allow', `bench=${stage.target}`],
    ],
    /listening address=\S+:(\d+)/,
  );
}

const front = (build: Build, options: FrontOptions): string[] => [
  process.execPath,
  ...nodeFlags(),
  build.front,
  JSON.stringify(options),
];

/** `EPMUX_BENCH_PROFILE=FOLDER`: CPU profiles of our two ends are written there. `EPMUX_BENCH_NODE`: flags of Node for them. */
function nodeFlags(): string[] {
  const folder = process.env['EPMUX_BENCH_PROFILE'];
  const profile = folder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${folder}`];
  const flags = process.env['EPMUX_BENCH_NODE']?.split(' ') ?? [];
  return [...profile, ...flags.filter((flag) => flag !== '')];
}

export function epmuxOverTcp(build: Build, key = 'epmux', title = 'epmux, TCP'): WayKind {
  return {
    key,
    title,
    start: (stage, hop) =>
      way(async (later) => {
        const agentPort = await startAgent(later, stage, build);
        const port = await hop(agentPort);
        const options: FrontOptions = {
          way: { kind: 'connect', host: '127.0.0.1', port },
          agentPort,
          secretFile: stage.secretFile,
          home: stage.folder,
        };
        return server(later, front(build, options));
      }),
  };
}

export function epmuxOverSsh(build: Build, key = 'epmux-ssh', title = 'epmux, SSH'): WayKind {
  return {
    key,
    title,
    start: (stage, hop) =>
      way(async (later) => {
        const agentPort = await startAgent(later, stage, build);
        const { port: sshPort, user, identityFile, fingerprint, folder } = await sshd(later);
        const home = join(folder, 'home');
        mkdirSync(join(home, '.ssh'), { recursive: true, mode: 0o700 });
        const options: FrontOptions = {
          way: { kind: 'ssh', user, host: '127.0.0.1', port: await hop(sshPort), identityFile },
          agentPort,
          secretFile: stage.secretFile,
          home,
          acceptHostKey: fingerprint,
        };
        return server(later, front(build, options));
      }),
  };
}

const nodeRelays: WayKind = {
  key: 'node',
  title: 'two Node relays',
  start: (stage, hop) =>
    way(async (later) => {
      const far = await server(later, stage.node('node-relay', stage.target));
      return server(later, stage.node('node-relay', await hop(far)));
    }),
};

const nodeRelaysOverSsh: WayKind = {
  key: 'node-ssh',
  title: 'two Node relays through ssh -L',
  absent: () => (isThere('ssh') ? undefined : 'no ssh here'),
  start: (stage, hop) =>
    way(async (later) => {
      const far = await server(later, stage.node('node-relay', stage.target));
      const between = await sshForward(later, hop, far, 'aes128-gcm@openssh.com');
      return server(later, stage.node('node-relay', between));
    }),
};

function ssh(key: string, cipher: string): WayKind {
  return {
    key,
    title: `ssh -L, ${cipher.replace(/@.*/, '')}`,
    absent: () => (isThere('ssh') ? undefined : 'no ssh here'),
    start: (stage, hop) => way((later) => sshForward(later, hop, stage.target, cipher)),
  };
}

const socat: WayKind = {
  key: 'socat',
  title: 'socat twice',
  mostIdle: { streams: 100, why: 'two processes a stream' },
  absent: () => (isThere(SOCAT) ? undefined : 'no socat here'),
  start: (stage, hop) =>
    way(async (later) => {
      const relay = async (to: number): Promise<number> => {
        const port = await freePort();
        const listen = `TCP-LISTEN:${port},bind=127.0.0.1,fork,reuseaddr,nodelay,backlog=1024`;
        const child = start([SOCAT, '-b', '65536', listen, `TCP:127.0.0.1:${to},nodelay`]);
        later(() => stop(child));
        await untilListening(port);
        return port;
      };
      return relay(await hop(await relay(stage.target)));
    }),
};

export function http2(windowBytes = HTTP2_WINDOW_BYTES): WayKind {
  return {
    key: 'http2',
    title: `Node's http2, ${windowBytes / 1024 / 1024} MiB windows`,
    start: (stage, hop) =>
      way(async (later) => {
        const far = await server(later, stage.node('http2', 'far', stage.target, windowBytes));
        return server(later, stage.node('http2', 'near', await hop(far), windowBytes));
      }),
  };
}

const yamux: WayKind = {
  key: 'yamux',
  title: 'js-libp2p-yamux',
  absent: () =>
    existsSync(join(PEERS, 'node_modules', '@chainsafe', 'libp2p-yamux'))
      ? undefined
      : 'not installed: run scripts/bench-peers',
  start: (stage, hop) =>
    way(async (later) => {
      const far = await server(later, stage.node('yamux', 'far', stage.target, PEERS));
      return server(later, stage.node('yamux', 'near', await hop(far), PEERS));
    }),
};

const none: WayKind = {
  key: 'none',
  title: 'no relay',
  start: (stage, hop) =>
    way(async () => hop(stage.target)).then((direct) => ({ ...direct, relays: () => [] })),
};

export const PEER_WAYS: readonly WayKind[] = [
  none,
  socat,
  nodeRelays,
  http2(),
  yamux,
  ssh('ssh', 'aes128-gcm@openssh.com'),
  ssh('ssh-chacha', 'chacha20-poly1305@openssh.com'),
  nodeRelaysOverSsh,
];
