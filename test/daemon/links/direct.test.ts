import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { ControlClient } from '../../../src/daemon/control/client.ts';
import { oneDyno } from '../../../src/daemon/dynos.ts';
import { DirectDirectory } from '../../../src/daemon/links/direct-directory.ts';
import { EpmuxError } from '../../../src/protocol/errors.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import type { BytePipe } from '../../../src/runtime/pipe.ts';
import { duplexPipe } from '../../../src/runtime/socket-pipe.ts';
import type { Carrier, Transport } from '../../../src/transport/transport.ts';
import { AgentEnd } from '../../support/agent-end.ts';
import { connectSpec, DaemonFixture } from '../../support/daemon-fixture.ts';
import { ErlangHost, type ErlangNode } from '../../support/erlang.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { register } from '../epmd-support.ts';

const SECRET = 'a secret of sixteen bytes';

/** As SSH: one connection that everything passes through, into the loopback of the dyno. */
class FakeCarrier implements Carrier {
  readonly label = 'fake';
  readonly exec = undefined;
  readonly #agentPort: number | undefined;
  readonly #sockets = new Set<net.Socket>();
  readonly #listeners: ((error: EpmuxError | undefined) => void)[] = [];
  #closed = false;

  constructor(agentPort: number | undefined) {
    this.#agentPort = agentPort;
  }

  async openAgentPipe(): Promise<BytePipe> {
    if (this.#agentPort !== undefined) return this.dial(this.#agentPort);
    throw new EpmuxError('AGENT_MISSING', 'none listens');
  }

  readonly dial = async (port: number): Promise<BytePipe> => {
    if (this.#closed) throw new EpmuxError('PIPE_LOST', 'closed');
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    this.#sockets.add(socket);
    try {
      await once(socket, 'connect');
    } catch (cause) {
      throw new EpmuxError('CONNECT_FAILED', 'refused', { cause, details: { refused: 'port' } });
    }
    return duplexPipe(socket, 'channel');
  };

  onClosed(listener: (error: EpmuxError | undefined) => void): void {
    this.#listeners.push(listener);
  }

  close(error?: EpmuxError): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const socket of this.#sockets) socket.resetAndDestroy();
    for (const listener of this.#listeners) queueMicrotask(() => listener(error));
  }
}

describe('a tunnel without an agent', function () {
  this.timeout(30_000);
  const folder = tempFolder();
  let dyno: ErlangHost;
  let laptop: ErlangHost;
  let app: ErlangNode;
  let daemon: DaemonFixture;
  let client: ControlClient;
  let carriers: FakeCarrier[];
  let agentPort: number | undefined;
  let reachable: boolean;

  before(async () => {
    dyno = await ErlangHost.start();
    laptop = await ErlangHost.start({ hostName: 'laptop' });
    app = await dyno.node('app', { tickTimeS: 4 });
  });
  after(async () => {
    await laptop?.stop();
    await dyno?.stop();
  });
  beforeEach(async () => {
    carriers = [];
    agentPort = undefined;
    reachable = true;
    daemon = new DaemonFixture(folder.path, {
      HOME: laptop.home,
      ERL_EPMD_PORT: String(laptop.epmdPort),
    });
    const transport: Transport = {
      target: 'fake',
      connect: async () => {
        if (!reachable) throw new EpmuxError('CONNECT_FAILED', 'away');
        const carrier = new FakeCarrier(agentPort);
        carriers.push(carrier);
        return carrier;
      },
    };
    await daemon.start({ createDynos: () => oneDyno(() => transport) });
    client = await daemon.client();
  });
  afterEach(() => daemon.stop());

  const up = (more: object = {}) =>
    client.call('up', {
      spec: connectSpec(1, { epmdPort: dyno.epmdPort, ...more }),
      secrets: { cookie: dyno.cookie },
    });
  const until = async (fits: () => Promise<boolean>) => {
    while (!(await fits())) await delay(20);
  };
  const status = async () => (await client.call('status', {})).tunnels[0];

  it('is not up where the epmd there takes connections and says nothing', async () => {
    const silent = net.createServer((socket) => socket.on('error', () => undefined).resume());
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as net.AddressInfo;
    try {
      await assert.rejects(up({ epmdPort: port }), { code: 'TIMEOUT', message: /epmd/ });
      assert.deepEqual((await client.call('status', {})).tunnels, []);
      assert.equal(carriers.length, 1);
    } finally {
      silent.close();
    }
  });

  it('asks for no more nodes than it may lead to', async () => {
    const { socket } = await register(dyno.epmdPort, 'other');
    const { dial } = new FakeCarrier(undefined);
    const within = { dial, clock: systemClock, epmdPort: dyno.epmdPort };
    try {
      const { signal } = new AbortController();
      const { directory: some } = await new DirectDirectory({ ...within, most: 1 }).ask(signal);
      assert.deepEqual([some.nodes.length, some.truncated], [1, true]);
      const { directory: all } = await new DirectDirectory({ ...within, most: 2 }).ask(signal);
      assert.deepEqual([all.nodes.length, all.truncated], [2, false]);
    } finally {
      socket.destroy();
    }
  });

  it('finds the nodes by their full names, and pings them', async () => {
    const { tunnel } = await up();
    assert.equal(tunnel.links[0]?.mode, 'direct');
    assert.deepEqual(
      tunnel.nodes.map(({ name }) => name),
      [app.name],
    );
    assert.equal((await client.call('ping', {})).pong, true);
  });

  it('leads a local node there with the cookie of its own, hidden, and a cut is a nodedown at once', async () => {
    const { leading } = await up();
    const env = { ERL_EPMD_PORT: String(leading.epmdPort), ERL_INETRC: leading.inetrc };
    const me = await laptop.node('me', { env, flags: ['-dist_listen', 'false'], tickTimeS: 4 });
    assert.equal(await me.eval(`net_adm:ping('${app.name}')`), 'pong');
    assert.equal(await app.eval('nodes()'), '[]');
    assert.match(await app.eval('nodes(hidden)'), /me@laptop/);
    // Longer than the tick time: the nodes' own ticks pass.
    await me.eval('timer:sleep(6000)');
    assert.equal(await me.eval(`rpc:call('${app.name}', erlang, node, [])`), `'${app.name}'`);
    reachable = false;
    carriers.at(-1)?.close(new EpmuxError('PIPE_LOST', 'cut'));
    await me.event((event) => event.type === 'nodedown' && event.node === app.name);
    assert.equal((await status())?.state, 'reconnecting');
    reachable = true;
    await until(async () => (await status())?.state === 'up');
    assert.equal(await me.eval(`net_adm:ping('${app.name}')`), 'pong');
    await me.stop();
  });

  it('sees nodes come and go', async () => {
    await up();
    const worker = await dyno.node('worker');
    const names = async () => (await status())?.nodes.map(({ name }) => name) ?? [];
    await client.call('up', {
      spec: connectSpec(1, { epmdPort: dyno.epmdPort }),
      secrets: {},
    });
    await until(async () => (await names()).includes(worker.name));
    await worker.stop();
    await until(async () => {
      await up();
      return !(await names()).includes(worker.name);
    });
  });

  it('says so when no epmd answers there', async () => {
    await dyno.stopEpmd();
    const call = up();
    await until(async () => (await status())?.lastError?.code === 'NO_EPMD');
    await dyno.startEpmd();
    // The nodes register again by themselves, and are found by the next look.
    assert.deepEqual(
      (await call).tunnel.nodes.map(({ name }) => name),
      [app.name],
    );
  });

  it('says what else is in the way of epmd than that none is there, and no longer once it is not', async () => {
    const greeter = net.createServer((socket) => socket.on('error', () => {}).end('SSH-2.0-x\r\n'));
    greeter.listen(0, '127.0.0.1');
    await once(greeter, 'listening');
    const { port } = greeter.address() as net.AddressInfo;
    const call = up({ epmdPort: port });
    await until(async () => (await status())?.links[0]?.epmdError?.code === 'EPMD_PROTOCOL');
    assert.equal((await status())?.lastError?.code, 'EPMD_PROTOCOL');
    greeter.close();
    await until(async () => {
      await up({ epmdPort: port }).catch(() => undefined);
      return (await status())?.links[0]?.epmdError?.code === 'NO_EPMD';
    });
    await call;
  });

  it('is no choice when an agent with a known secret listens, or when one is required', async () => {
    const agent = await AgentEnd.start({ secret: SECRET, nodes: { 'app@x': 1 } });
    const refused = { code: 'AGENT_MISSING', hint: /or drop `--agent require`$/ };
    await assert.rejects(up({ agent: 'require' }), refused);
    agentPort = agent.port;
    // Nobody here knows its secret.
    assert.equal((await up()).tunnel.links[0]?.mode, 'direct');
    await client.call('down', { all: true });
    assert.equal((await up({ agent: 'none' })).tunnel.links[0]?.mode, 'direct');
    await client.call('down', { all: true });
    const { tunnel } = await client.call('up', {
      spec: connectSpec(1, { epmdPort: dyno.epmdPort }),
      secrets: { secret: SECRET },
    });
    assert.equal(tunnel.links[0]?.mode, 'agent');
    await agent.kill();
  });

  it('goes without when what listens there is no agent', async () => {
    const stranger = net.createServer((socket) => socket.on('error', () => {}).end('220 hi\r\n'));
    stranger.listen(0, '127.0.0.1');
    await once(stranger, 'listening');
    agentPort = (stranger.address() as net.AddressInfo).port;
    const { tunnel } = await client.call('up', {
      spec: connectSpec(1, { epmdPort: dyno.epmdPort }),
      secrets: { secret: SECRET, cookie: dyno.cookie },
    });
    assert.equal(tunnel.links[0]?.mode, 'direct');
    stranger.close();
  });
});
