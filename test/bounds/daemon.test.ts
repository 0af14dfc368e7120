import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { ControlServer } from '../../src/daemon/control/server.ts';
import { controlHandlers } from '../../src/daemon/handlers.ts';
import { daemonLimits } from '../../src/daemon/limits.ts';
import { NameTable } from '../../src/daemon/names.ts';
import { VirtualEpmd } from '../../src/daemon/virtual-epmd.ts';
import { encodeEpmdRequest } from '../../src/erlang/epmd.ts';
import { Tag } from '../../src/erlang/handshake.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { AgentEnd } from '../support/agent-end.ts';
import { connectSpec, DaemonFixture } from '../support/daemon-fixture.ts';
import { DEFAULT_LIMITS } from '../support/default-limits.ts';
import { freePort } from '../support/erlang.ts';
import { tempFolder } from '../support/temp-folder.ts';

const SECRET = 'a secret of sixteen bytes';

describe('a bound of the daemon that was set', () => {
  const folder = tempFolder();
  let silent: Server;
  let agent: AgentEnd;
  let fixture: DaemonFixture;
  let sockets: Socket[] = [];

  before(async () => {
    silent = createServer((socket) => socket.on('error', () => {}).resume());
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
  });
  after(() => silent.close());

  beforeEach(async () => {
    const { port } = silent.address() as AddressInfo;
    const nodes = { 'a@dyno': port, 'b@dyno': port, 'c@dyno': port };
    agent = await AgentEnd.start({ secret: SECRET, nodes });
  });
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    sockets = [];
    await fixture?.stop();
    await agent.kill();
  });

  async function up(limits: string) {
    fixture = new DaemonFixture(folder.path, { EPMUX_LIMITS: limits });
    await fixture.start();
    const client = await fixture.client();
    const spec = connectSpec(agent.port);
    const { tunnel } = await client.call('up', { spec, secrets: { secret: SECRET } });
    return { client, nodes: tunnel.nodes };
  }

  /** Whether it is closed is settled once the daemon has answered somebody else. */
  function dial(port: number, host: string): Socket {
    const socket = connect(port, host);
    socket.on('error', () => {});
    sockets.push(socket);
    return socket;
  }

  it('refuses a tunnel more than `tunnels` with BUSY, and keeps the others', async () => {
    const { client } = await up('tunnels=1');
    const spec = connectSpec(agent.port, { name: 'second' });
    await assert.rejects(client.call('up', { spec, secrets: { secret: SECRET } }), {
      code: 'BUSY',
      message: 'there are 1 tunnels already',
    });
    const { tunnels } = await client.call('status', {});
    assert.deepEqual(
      tunnels.map(({ name, state }) => [name, state]),
      [['prod', 'up']],
    );
  });

  it('leads to no more nodes of a dyno than `nodes`', async () => {
    const { nodes } = await up('nodes=2');
    assert.deepEqual(
      nodes.map(({ name }) => name),
      ['a@dyno', 'b@dyno'],
    );
  });

  it('closes a local connection more than `node-connections`, and keeps the others', async () => {
    const { nodes, client } = await up('node-connections=2');
    const [node] = nodes;
    assert.ok(node !== undefined);
    const two = [dial(node.port, node.address), dial(node.port, node.address)];
    await Promise.all(two.map((socket) => once(socket, 'connect')));
    const third = dial(node.port, node.address);
    await new Promise<void>((resolve) => third.once('close', () => resolve()));
    await client.call('status', {});
    assert.deepEqual(
      two.map(({ closed }) => closed),
      [false, false],
    );
  });

  it('cuts off a local node that says nothing for `node-silence-ms`, and keeps who says something', async () => {
    const { nodes, client } = await up('node-silence-ms=1500');
    const [node] = nodes;
    assert.ok(node !== undefined);
    const [mute, alive] = [dial(node.port, node.address), dial(node.port, node.address)];
    await Promise.all([once(mute, 'connect'), once(alive, 'connect')]);
    const connectedAt = performance.now();
    // A name that takes its time.
    alive.write(Buffer.of(1, 0, Tag.name6));
    const speaking = setInterval(() => alive.write(Buffer.of(0)), 200);
    try {
      await new Promise<void>((resolve) => mute.once('close', () => resolve()));
      assert.ok(performance.now() - connectedAt >= 1_400);
      assert.equal(alive.closed, false);
      for (;;) {
        const cut = (await client.call('status', {})).tunnels[0]?.nodes[0]?.lastCut;
        if (cut === undefined || cut === null) continue;
        assert.equal(cut.code, 'NODE_UNREACHABLE');
        break;
      }
    } finally {
      clearInterval(speaking);
    }
  });

  it('closes a control client more than `control-clients`, and answers the others', async () => {
    const { client } = await up('control-clients=2');
    await fixture.client();
    const third = connect(fixture.paths.controlSocket);
    sockets.push(third);
    third.on('error', () => {});
    await new Promise<void>((resolve) => third.once('close', () => resolve()));
    assert.equal((await client.call('status', {})).tunnels.length, 1);
  });

  it('closes a control client that asked nothing for `control-idle-ms`', async () => {
    fixture = new DaemonFixture(folder.path);
    const daemon = await fixture.start();
    const path = join(folder.path, 'idle.sock');
    const limits = { ...DEFAULT_LIMITS, controlIdleMs: 50 };
    const server = await ControlServer.listen(path, controlHandlers(daemon), silentLogger, limits);
    const idle = connect(path);
    sockets.push(idle);
    await once(idle, 'close');
    await server.close();
  });

  it('is refused with the name of the variable when nothing could work with it', async () => {
    fixture = new DaemonFixture(folder.path, { EPMUX_LIMITS: 'tunnels=0' });
    await assert.rejects(fixture.start(), {
      code: 'CONFIG_INVALID',
      message: 'EPMUX_LIMITS: tunnels is a whole number from 1 to 10000',
    });
    assert.throws(() => daemonLimits({ EPMUX_LIMITS: 'log-file=1' }), {
      code: 'CONFIG_INVALID',
      message: 'EPMUX_LIMITS: log-file=1 sets no limit: did you mean log-file-bytes?',
    });
    assert.throws(() => daemonLimits({ EPMUX_LIMITS: 'reconnect-max-ms=100' }), {
      code: 'CONFIG_INVALID',
      message: 'EPMUX_LIMITS: reconnect-first-ms (200) is longer than reconnect-max-ms (100)',
    });
  });
});

describe('a bound of the virtual epmd that was set', () => {
  let epmd: VirtualEpmd;
  const sockets: Socket[] = [];

  async function start(limits: Partial<typeof DEFAULT_LIMITS>): Promise<void> {
    epmd = await VirtualEpmd.start({
      port: undefined,
      names: new NameTable(),
      upstream: { host: '127.0.0.1', port: await freePort() },
      limits: { ...DEFAULT_LIMITS, ...limits },
      clock: systemClock,
      logger: silentLogger,
    });
  }
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await epmd.close();
  });

  async function register(name: string): Promise<number | undefined> {
    const socket = connect(epmd.port, '127.0.0.1');
    sockets.push(socket);
    const node = { name, port: 40_000, visible: true, protocol: 0, highest: 6, lowest: 5 };
    socket.write(encodeEpmdRequest({ kind: 'alive', node: { ...node, extra: new Uint8Array(0) } }));
    const [answer] = (await once(socket, 'data')) as [Buffer];
    return answer[1];
  }

  it('refuses to register a local node more than `epmd-nodes`', async () => {
    await start({ epmdNodes: 2 });
    assert.deepEqual([await register('a'), await register('b')], [0, 0]);
    assert.equal(await register('c'), 1);
  });

  it('closes who has not asked within `epmd-request-ms`', async () => {
    await start({ epmdRequestMs: 100 });
    const slow = connect(epmd.port, '127.0.0.1');
    sockets.push(slow);
    slow.write(Uint8Array.of(0));
    await once(slow, 'close');
  });
});
