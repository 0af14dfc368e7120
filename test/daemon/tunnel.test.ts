import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import type { TunnelStatus, UpSecrets } from '../../src/daemon/control/api.ts';
import type { ControlClient } from '../../src/daemon/control/client.ts';
import { type StandInNode, startStandInNode } from '../../src/demo/stand-in-node.ts';
import { FrameType } from '../../src/protocol/constants.ts';
import { askNode } from '../../src/runtime/epmd-client.ts';
import { AgentEnd } from '../support/agent-end.ts';
import { connectSpec, DaemonFixture } from '../support/daemon-fixture.ts';
import { freePort } from '../support/erlang.ts';
import { tempFolder } from '../support/temp-folder.ts';

const SECRET = 'a secret of sixteen bytes';
const COOKIE = 'PRODUCTION';
const SECRETS: UpSecrets = { secret: SECRET, cookie: COOKIE };

/** Answers every byte with itself, as no node does: the relay lets pass what it does not understand. */
async function echo(): Promise<net.Server> {
  const server = net.createServer((socket) => socket.on('error', () => undefined).pipe(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function closing(socket: net.Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

const portOf = (server: net.Server) => (server.address() as net.AddressInfo).port;

describe('a tunnel', () => {
  const folder = tempFolder();
  let daemon: DaemonFixture;
  let client: ControlClient;
  let agent: AgentEnd;
  let app: StandInNode;
  let echoing: net.Server;

  beforeEach(async () => {
    daemon = new DaemonFixture(folder.path);
    app = await startStandInNode('app@dyno-1', COOKIE);
    echoing = await echo();
    agent = await AgentEnd.start({ secret: SECRET, nodes: { 'app@dyno-1': app.port } });
    await daemon.start();
    client = await daemon.client();
  });
  afterEach(async () => {
    await daemon.stop();
    await agent.kill();
    await app.close();
    echoing.close();
  });

  const up = (secrets = SECRETS, port = agent.port) =>
    client.call('up', { spec: connectSpec(port), secrets });
  const status = async (): Promise<TunnelStatus> => {
    const { tunnels } = await client.call('status', {});
    assert.ok(tunnels[0] !== undefined);
    return tunnels[0];
  };
  const until = async (fits: (tunnel: TunnelStatus) => boolean): Promise<TunnelStatus> => {
    for (;;) {
      const now = await status();
      if (fits(now)) return now;
    }
  };
  /** A connection to the echo behind the node `echo@dyno-1`. */
  const connectEcho = async (): Promise<net.Socket> => {
    agent.setNodes({ 'echo@dyno-1': portOf(echoing) });
    const { nodes } = await until((now) => now.nodes[0]?.name === 'echo@dyno-1');
    const [node] = nodes;
    assert.ok(node !== undefined);
    const socket = net.connect(node.port, node.address);
    socket.on('error', () => undefined);
    assert.equal(await says(socket, 'hello'), 'hello');
    return socket;
  };
  const says = async (socket: net.Socket, text: string): Promise<string> => {
    socket.write(text);
    const [chunk] = await once(socket, 'data');
    return String(chunk);
  };

  it('is up when its nodes can be reached, and tells each step', async () => {
    const steps: string[] = [];
    const { tunnel, alreadyUp, leading } = await client.call(
      'up',
      { spec: connectSpec(agent.port), secrets: SECRETS },
      { onProgress: ({ step }) => steps.push(step) },
    );
    assert.equal(alreadyUp, false);
    assert.equal(tunnel.state, 'up');
    assert.equal(tunnel.links[0]?.incarnation, agent.bootId.toString('hex'));
    assert.deepEqual(
      tunnel.nodes.map(({ name, state }) => [name, state]),
      [['app@dyno-1', 'up']],
    );
    assert.match(steps.join('\n'), /connecting to .*\n.*agent.*\nattached .*epmux\/test/);
    assert.match(readFileSync(leading.inetrc, 'utf8'), /hosts_file/);
    assert.match(readFileSync(daemon.paths.hostsFile, 'utf8'), /^127\.0\.0\.\d+ dyno-1$/m);
    const [node] = tunnel.nodes;
    const host = node?.address ?? '';
    assert.equal((await askNode({ host, port: leading.epmdPort }, 'app'))?.port, node?.port);
  });

  it('answers a ping with the cookie given, and a pang says why', async () => {
    await up();
    const pong = await client.call('ping', {});
    assert.equal(pong.pong, true);
    assert.equal(pong.node, 'app@dyno-1');
    assert.ok(pong.rttMs !== null);
    const pang = await client.call('ping', { node: 'app', cookie: 'WRONG' });
    assert.equal(pang.pong, false);
    assert.equal(pang.error?.code, 'COOKIE_REFUSED');
    agent.setNodes({ 'app@dyno-1': await freePort() });
    assert.equal((await client.call('ping', {})).pong, false);
  });

  it('is found by the name of a node, of its part before @, or its own', async () => {
    await up();
    for (const node of ['app@dyno-1', 'app', 'prod', undefined]) {
      const found = await client.call('resolve', node === undefined ? {} : { node });
      assert.equal(found.node.name, 'app@dyno-1');
      assert.equal(found.tunnel, 'prod');
    }
    await assert.rejects(client.call('resolve', { node: 'web' }), { code: 'NODE_NOT_FOUND' });
    agent.setNodes({ 'app@dyno-1': app.port, 'worker@dyno-1': app.port });
    await until((now) => now.nodes.length === 2);
    for (const params of [{}, { node: 'prod' }]) {
      await assert.rejects(client.call('resolve', params), {
        code: 'NODE_AMBIGUOUS',
        message: /app@dyno-1.*worker@dyno-1/,
      });
    }
  });

  it('is left as it is by a second up, and refuses another under its name', async () => {
    await up();
    assert.equal((await up({})).alreadyUp, true);
    assert.equal(agent.attaches, 1);
    const other = connectSpec(agent.port, { hiddenOnly: true });
    await assert.rejects(client.call('up', { spec: other, secrets: SECRETS }), {
      code: 'TUNNEL_EXISTS',
    });
    assert.equal((await status()).state, 'up');
  });

  it('keeps its connections through a cut', async () => {
    await up();
    const socket = await connectEcho();
    agent.cut();
    assert.equal(await says(socket, 'still there'), 'still there');
    const now = await until(({ state }) => state === 'up');
    assert.equal(now.reconnects, 1);
    assert.equal(now.links[0]?.resumes, 1);
    assert.equal(now.lastError?.code, 'PIPE_LOST');
    socket.destroy();
  });

  it('takes connections while it reconnects, and its nodes are stale meanwhile', async () => {
    await up();
    (await connectEcho()).destroy();
    agent.mute = true;
    agent.cut();
    const stale = await until(({ state }) => state === 'reconnecting');
    assert.deepEqual(
      stale.nodes.map(({ state }) => state),
      ['stale'],
    );
    const [node] = stale.nodes;
    const socket = net.connect(node?.port ?? 0, node?.address);
    const answer = says(socket, 'hello');
    await once(socket, 'connect');
    agent.mute = false;
    agent.cut();
    assert.equal(await answer, 'hello');
    await until(({ state }) => state === 'up');
    socket.destroy();
  });

  it('closes all connections at once when the agent is new, and takes that one up', async () => {
    await up();
    const socket = await connectEcho();
    const closed = closing(socket);
    const { port } = agent;
    await agent.kill();
    agent = await AgentEnd.start({ secret: SECRET, port, nodes: { 'new@dyno-2': app.port } });
    await closed;
    const now = await until(({ nodes }) => nodes[0]?.name === 'new@dyno-2');
    assert.equal(now.nodes.length, 1);
    assert.doesNotMatch(readFileSync(daemon.paths.hostsFile, 'utf8'), /dyno-1/);
  });

  it('keeps the nodes that it knows, stale, while epmd is away', async () => {
    await up();
    agent.setNodes({}, true);
    const now = await until(({ lastError }) => lastError?.code === 'NO_EPMD');
    assert.deepEqual(
      now.nodes.map(({ name, state }) => [name, state]),
      [['app@dyno-1', 'stale']],
    );
    agent.setNodes({ 'app@dyno-1': app.port });
    await until(({ nodes }) => nodes[0]?.state === 'up');
  });

  it('that does not come up is no tunnel', async () => {
    await assert.rejects(up(SECRETS, await freePort()), { code: 'CONNECT_FAILED' });
    await assert.rejects(up({ secret: 'another secret of 16 bytes' }), { code: 'SECRET_REFUSED' });
    await assert.rejects(up({}), { code: 'SECRET_MISSING' });
    assert.deepEqual((await client.call('status', {})).tunnels, []);
    assert.doesNotMatch(readFileSync(daemon.paths.stateFile, 'utf8'), /prod/);
    assert.deepEqual(readdirSync(daemon.paths.secretsDir), []);
  });

  for (const how of ['cancels', 'is gone'] as const) {
    it(`is taken away when its caller ${how} before it is up`, async () => {
      agent.mute = true;
      const caller = await daemon.client();
      const interrupt = new AbortController();
      const begun = new Promise<void>((resolve) => {
        const call = caller.call(
          'up',
          { spec: connectSpec(agent.port), secrets: SECRETS },
          { onProgress: () => resolve(), signal: interrupt.signal },
        );
        call.catch(() => undefined);
      });
      await begun;
      while (agent.connections === 0) await status();
      if (how === 'cancels') interrupt.abort();
      else caller.close();
      while ((await client.call('status', {})).tunnels.length > 0);
      while (agent.connections > 0) await client.call('status', {});
    });
  }

  it('stays when one of two callers who bring it up is gone', async () => {
    agent.mute = true;
    const caller = await daemon.client();
    const first = caller.call('up', { spec: connectSpec(agent.port), secrets: SECRETS });
    first.catch(() => undefined);
    while (agent.connections === 0) await client.call('status', {});
    const second = up();
    await client.call('hello', {});
    caller.close();
    await assert.rejects(first);
    agent.mute = false;
    agent.cut();
    await assert.rejects(second);
    assert.equal((await up()).tunnel.state, 'up');
  });

  it('does not come up with an agent that breaks the protocol, and says so at once', async () => {
    const tailOfNothing = Uint8Array.of(FrameType.TAIL, 0, 0, 1, 0, 0, 0, 0, 0);
    agent.setNodes({});
    agent.noise = tailOfNothing;
    await assert.rejects(up(), { code: 'PROTOCOL' });
    assert.deepEqual((await client.call('status', {})).tunnels, []);
  });

  it('is given up when the agent has another secret, and taken up again with the right one', async () => {
    await up();
    const socket = await connectEcho();
    const closed = closing(socket);
    const { port } = agent;
    await agent.kill();
    agent = await AgentEnd.start({ secret: `${SECRET}, a new one`, port });
    const failed = await until(({ state }) => state === 'failed');
    assert.equal(failed.lastError?.code, 'SECRET_REFUSED');
    await closed;
    const attempts = agent.attaches;
    await assert.rejects(up(), { code: 'SECRET_REFUSED' });
    assert.equal((await status()).state, 'failed');
    agent.setNodes({ 'app@dyno-1': app.port });
    await up({ secret: `${SECRET}, a new one` });
    assert.equal((await status()).state, 'up');
    assert.equal(agent.attaches, attempts + 1);
  });

  it('comes back with the daemon, with its secret and on the same epmd port', async () => {
    const before = await up();
    assert.equal(readFileSync(join(daemon.paths.secretsDir, 'prod'), 'utf8').trim(), SECRET);
    await daemon.stop();
    assert.equal(existsSync(daemon.paths.controlSocket), false);
    await daemon.start();
    client = await daemon.client();
    const now = await until(({ nodes }) => nodes.length === 1);
    assert.equal(now.state, 'up');
    assert.equal((await client.call('leading', {})).epmdPort, before.leading.epmdPort);
    for (const file of readdirSync(daemon.paths.stateDir, {
      recursive: true,
      withFileTypes: true,
    })) {
      if (!file.isFile()) continue;
      const text = readFileSync(join(file.parentPath, file.name), 'utf8');
      assert.doesNotMatch(text, new RegExp(COOKIE), file.name);
      if (file.name !== 'prod') assert.doesNotMatch(text, new RegExp(SECRET), file.name);
    }
  });

  it('comes back although its agent is away, and is up as soon as that is there', async () => {
    await up();
    await daemon.stop();
    const { port } = agent;
    await agent.kill();
    await daemon.start();
    client = await daemon.client();
    assert.equal((await until(({ lastError }) => lastError !== null)).state, 'connecting');
    agent = await AgentEnd.start({ secret: SECRET, port, nodes: { 'app@dyno-1': app.port } });
    await until(({ state }) => state === 'up');
  });

  it('is gone for good when it was taken down, and the agent was told', async () => {
    await up();
    assert.deepEqual(await client.call('down', { name: 'prod' }), { downed: ['prod'] });
    assert.equal(agent.goodbyes, 1);
    await assert.rejects(client.call('down', { name: 'prod' }), { code: 'TUNNEL_NOT_FOUND' });
    assert.deepEqual(readdirSync(daemon.paths.secretsDir), []);
    assert.doesNotMatch(readFileSync(daemon.paths.stateFile, 'utf8'), /prod/);
    assert.doesNotMatch(readFileSync(daemon.paths.hostsFile, 'utf8'), /dyno-1/);
  });

  it('lets the daemon end when it was the last', async () => {
    const running = await new DaemonFixture(join(folder.path, 'second')).start();
    await daemon.stop();
    const last = await daemon.start();
    client = await daemon.client();
    await up();
    await client.call('down', {});
    client.close();
    await last.ended;
    await running.stop('the test is over');
  });

  it('of a daemon in the foreground is not written down', async () => {
    await daemon.stop();
    await daemon.start({ foreground: true });
    client = await daemon.client();
    await up();
    assert.doesNotMatch(readFileSync(daemon.paths.stateFile, 'utf8'), /prod/);
    assert.deepEqual(readdirSync(daemon.paths.secretsDir), []);
  });

  it('takes secret and cookie from the files that it names, each time anew', async () => {
    const secretFile = join(folder.path, 'secret');
    const cookieFile = join(folder.path, 'cookie');
    writeFileSync(secretFile, `${SECRET}\n`);
    writeFileSync(cookieFile, 'OLD\n');
    const spec = connectSpec(agent.port, { secretFile, cookieFile });
    await client.call('up', { spec, secrets: {} });
    assert.equal((await client.call('ping', {})).error?.code, 'COOKIE_REFUSED');
    writeFileSync(cookieFile, `${COOKIE}\n`);
    assert.equal((await client.call('ping', {})).pong, true);
  });

  it('shares its host with another tunnel, and the first has a name that both have', async () => {
    await up();
    const other = await AgentEnd.start({
      secret: SECRET,
      nodes: { 'app@dyno-1': app.port, 'worker@dyno-1': app.port },
    });
    const { tunnel } = await client.call('up', {
      spec: connectSpec(other.port, { name: 'other' }),
      secrets: SECRETS,
    });
    const reachable = tunnel.nodes.map(({ name, unreachable }) => [
      name,
      unreachable === undefined,
    ]);
    assert.deepEqual(reachable, [
      ['app@dyno-1', false],
      ['worker@dyno-1', true],
    ]);
    assert.equal((await client.call('resolve', { node: 'app' })).tunnel, 'prod');
    await client.call('down', { name: 'prod' });
    assert.equal((await client.call('resolve', { node: 'app' })).node.unreachable, undefined);
    await other.kill();
  });

  it('is not harmed by strangers at its node ports', async () => {
    const { tunnel } = await up();
    const [node] = tunnel.nodes;
    for (let stranger = 0; stranger < 20; stranger += 1) {
      const socket = net.connect(node?.port ?? 0, node?.address);
      socket.on('error', () => undefined);
      const closed = closing(socket);
      socket.end(Buffer.alloc(1_000, stranger));
      socket.resume();
      await closed;
    }
    assert.equal((await client.call('ping', {})).pong, true);
  });
});
