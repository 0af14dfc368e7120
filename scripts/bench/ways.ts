/** What a way to the service at the far end is, and what ways are made of. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { startSshd, type TestSshd } from '../../test/support/sshd.ts';
import { familyOf, start, startServer, stop } from './processes.ts';
import type { Stage } from './stage.ts';

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
  /**
   * Idle streams that its processes can have, of the descriptors that one may have; for more there
   * are several of it.
   */
  readonly idleEach?: number;
  /** Why it can't be measured here. */
  absent?(): string | undefined;
  /**
   * `hop` stands for the path between the two machines: it gives the port through which another is
   * reached.
   */
  start(stage: Stage, hop: Hop): Promise<Way>;
}

export type Hop = (port: number) => Promise<number>;

/** Both machines are this one. */
export const NO_PATH: Hop = async (port) => port;

export type Cleanup = () => unknown;

const LISTEN_MS = 10_000;

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

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export async function untilListening(port: number): Promise<void> {
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

/** The port that it listens on. */
export async function server(
  later: (cleanup: Cleanup) => void,
  argv: readonly string[],
  ready?: RegExp,
): Promise<number> {
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
