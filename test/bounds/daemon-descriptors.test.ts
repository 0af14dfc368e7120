import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { NodeStatus } from '../../src/daemon/control/api.ts';
import { ControlClient } from '../../src/daemon/control/client.ts';
import { daemonPaths } from '../../src/daemon/paths.ts';
import { AgentEnd } from '../support/agent-end.ts';
import { EPMUX } from '../support/dyno.ts';
import { leaveOut } from '../support/left-out.ts';
import { tempFolder } from '../support/temp-folder.ts';

const SECRET = 'a secret of sixteen bytes';
const MOST = 96;
const linux = existsSync('/proc/self/limits');

describe(`a daemon with ${MOST} descriptors`, function () {
  this.timeout(30_000);
  const folder = tempFolder();
  const sockets = new Set<Socket>();
  /** Takes connections, and neither says nor ends anything. */
  let silent: Server;
  let agent: AgentEnd;
  let daemon: ChildProcess;
  let said = '';

  beforeEach(async function () {
    if (!linux) leaveOut(this, 'there is no /proc');
    silent = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.resume();
    }).listen({ port: 0, host: '127.0.0.1', backlog: 4 * MOST });
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    agent = await AgentEnd.start({ secret: SECRET, nodes: { 'app@dyno': port } });
    const way = ['up', 'prod', '--connect', `127.0.0.1:${agent.port}`, '--foreground'];
    const limited = ['-c', `ulimit -n ${MOST} && exec "$@"`, 'sh', ...EPMUX, ...way];
    daemon = spawn('sh', limited, {
      env: {
        PATH: process.env['PATH'],
        HOME: folder.path,
        EPMUX_HOME: folder.path,
        EPMUX_SECRET: SECRET,
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    said = '';
    daemon.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk;
    });
    await untilSaid(/reachable node=app@dyno/);
  });

  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
    if (daemon.exitCode === null) {
      const exited = once(daemon, 'exit');
      daemon.kill('SIGKILL');
      await exited;
    }
    await agent.kill();
    silent.close();
  });

  async function untilSaid(what: RegExp): Promise<void> {
    while (!what.test(said)) {
      assert.equal(daemon.exitCode, null, said);
      if (daemon.stderr !== null) await once(daemon.stderr, 'data');
    }
  }

  async function status(): Promise<{ node: NodeStatus; problems: readonly string[] }> {
    const client = await ControlClient.connect(
      daemonPaths({ EPMUX_HOME: folder.path }).controlSocket,
    );
    try {
      const { tunnels, daemon: itself } = await client.call('status', {});
      const [node] = tunnels[0]?.nodes ?? [];
      assert.ok(node !== undefined);
      return { node, problems: itself.problems ?? [] };
    } finally {
      client.close();
    }
  }

  /** A local connection to the node, and whether it is closed by now. */
  function dial(node: NodeStatus): { readonly socket: Socket; readonly closed: Promise<void> } {
    const socket = connect(node.port, node.address);
    sockets.add(socket);
    socket.on('error', () => {});
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    return { socket, closed };
  }

  it('refuses a connection more and logs why, answers `status`, keeps the others, and takes new ones when some have gone', async () => {
    const { node } = await status();
    const taken = Array.from({ length: 2 * MOST }, () => dial(node));
    await untilSaid(/a local connection is refused .*no file descriptor is free here/);
    // Each refused connection closes; those that were taken stay.
    const open = (): Socket[] => taken.map(({ socket }) => socket).filter(({ closed }) => !closed);
    while (open().length > MOST)
      await Promise.race(taken.filter(({ socket }) => !socket.closed).map(({ closed }) => closed));
    assert.ok(open().length > 8, `${open().length} connections are open`);
    assert.match((await status()).problems.join(), /local connections are refused: no file desc/);
    assert.equal(daemon.exitCode, null);

    for (const { socket } of taken) socket.destroy();
    await Promise.all(taken.map(({ closed }) => closed));
    for (let tries = 0; ; tries += 1) {
      assert.ok(tries < 200, said);
      const { socket } = dial(node);
      await once(socket, 'connect');
      // An answer of the daemon to somebody else comes after what it did with the connection.
      await status();
      if (!socket.closed) break;
    }
  });
});
