/** Two real nodes, and the ways from the laptop's to the app's. */
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { askNode } from '../../src/runtime/epmd-client.ts';
import { EPMUX } from '../../test/support/dyno.ts';
import { ErlangHost, type ErlangNode, hasErlang } from '../../test/support/erlang.ts';
import { Laptop } from '../../test/support/laptop.ts';
import { startServer, stop } from './processes.ts';
import type { Build, Stage } from './stage.ts';
import { type Cleanup, sshd, sshForward, type Way, type WayKind, way } from './ways.ts';

const COOKIE = 'BENCH';
const HOST = 'bench-dyno';
export const APP = `app@${HOST}`;
const BUILT = join(import.meta.dirname, '..', '..', 'dist', 'cli', 'main.js');
const PORT_PLEASE2 = 122;

/** The laptop's node of each way, and the port of the app's. */
const nodes = new WeakMap<Way, { readonly node: ErlangNode; readonly appPort: number }>();

export function nodesOf(one: Way): { readonly node: ErlangNode; readonly appPort: number } {
  const known = nodes.get(one);
  if (known === undefined) throw new Error('this way has no node');
  return known;
}

const absent = (): string | undefined => (hasErlang() ? undefined : 'no Erlang here');

interface Dyno {
  readonly epmdPort: number;
  readonly nodePort: number;
}

async function startDyno(later: (cleanup: Cleanup) => void): Promise<Dyno> {
  const host = await ErlangHost.start({ hostName: HOST, cookie: COOKIE });
  later(() => host.stop());
  await host.node('app', { flags: ['-kernel', 'inet_dist_use_interface', '{127,0,0,1}'] });
  const found = await askNode({ host: '127.0.0.1', port: host.epmdPort }, 'app');
  if (found === undefined) throw new Error('the node is not registered');
  return { epmdPort: host.epmdPort, nodePort: found.port };
}

/** An epmd that knows one node: where the port leads. */
async function epmdOf(later: (cleanup: Cleanup) => void, nodePort: number): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', (request: Buffer) => {
      if (request[2] !== PORT_PLEASE2) socket.end(Buffer.of(0, 0));
      else socket.end(portAnswer(request.subarray(3).toString(), nodePort));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  later(() => server.close());
  return (server.address() as { port: number }).port;
}

function portAnswer(name: string, port: number): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt8(119, 0);
  head.writeUInt16BE(port, 2);
  head.writeUInt8(77, 4);
  head.writeUInt16BE(6, 6);
  head.writeUInt16BE(5, 8);
  head.writeUInt16BE(name.length, 10);
  return Buffer.concat([head, Buffer.from(name), Buffer.of(0, 0)]);
}

/** A laptop's node that is told by an epmd of ours where the app's node is. */
async function plainNode(later: (cleanup: Cleanup) => void, port: number): Promise<ErlangNode> {
  const laptop = await ErlangHost.start({
    hostName: 'laptop',
    hosts: [HOST],
    cookie: COOKIE,
    epmd: false,
  });
  later(() => laptop.stop());
  const env = { ERL_EPMD_PORT: String(await epmdOf(later, port)) };
  return laptop.node('me', { hidden: true, env, flags: ['-dist_listen', 'false'] });
}

function kind(
  key: string,
  title: string,
  lead: (
    later: (cleanup: Cleanup) => void,
    dyno: Dyno,
    hop: (port: number) => Promise<number>,
    stage: Stage,
  ) => Promise<ErlangNode>,
): WayKind {
  return {
    key,
    title,
    absent,
    async start(stage, hop) {
      let node: ErlangNode | undefined;
      let appPort = 0;
      const started = await way(async (later) => {
        const dyno = await startDyno(later);
        appPort = dyno.nodePort;
        node = await lead(later, dyno, hop, stage);
        return 0;
      });
      if (node !== undefined) nodes.set(started, { node, appPort });
      return started;
    },
  };
}

export function erlangWays(build: Build): WayKind[] {
  return [
    kind('none', 'directly', async (later, dyno, hop) =>
      plainNode(later, await hop(dyno.nodePort)),
    ),
    kind('ssh', 'ssh -L, aes128-gcm', async (later, dyno, hop) =>
      plainNode(later, await sshForward(later, hop, dyno.nodePort, 'aes128-gcm@openssh.com')),
    ),
    kind('epmux-ssh', 'epmux, SSH', async (later, dyno, hop, stage) => {
      const { child, port: agentPort } = await startServer(
        [
          ...[process.execPath, build.agent, '--port', '0', '--secret-file', stage.secretFile],
          ...['--epmd-port', String(dyno.epmdPort)],
        ],
        /listening address=\S+:(\d+)/,
      );
      later(() => stop(child));
      const server = await sshd(later);
      const program = existsSync(BUILT) ? [process.execPath, BUILT] : EPMUX;
      const laptop = await Laptop.start({ program, cookie: COOKIE, epmd: false });
      later(() => laptop.stop());
      const port = await hop(server.port);
      const [, ...key] = server.knownHostsLine.split(' ');
      laptop.trust(`[127.0.0.1]:${port} ${key.join(' ')}\n`);
      laptop.env['EPMUX_SECRET'] = 'the bench keeps no secrets';
      await laptop.run(
        ...['up', '--ssh', `${server.user}@127.0.0.1:${port}`],
        ...['--identity', server.identityFile, '--agent-port', String(agentPort)],
      );
      const env = JSON.parse(await laptop.run('env', '--json')) as { env: Record<string, string> };
      return laptop.erlang.node('me', {
        hidden: true,
        env: env.env,
        flags: ['-dist_listen', 'false'],
      });
    }),
  ];
}
