import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { daemonLimits } from '../../src/daemon/limits.ts';
import { encodeEpmdRequest } from '../../src/erlang/epmd.ts';
import { BOOT_ID_BYTES } from '../../src/protocol/constants.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { askNames, askNode } from '../../src/runtime/epmd-client.ts';
import { openAgentPipe } from '../../src/runtime/open-session-pipe.ts';
import { SessionDriver } from '../../src/runtime/session-driver.ts';
import { duplexPipe } from '../../src/runtime/socket-pipe.ts';
import { SESSION_DEFAULTS } from '../../src/session/config.ts';
import { Session } from '../../src/session/session.ts';
import { AgentEnd } from '../support/agent-end.ts';
import { connectSpec, DaemonFixture } from '../support/daemon-fixture.ts';
import { HELLO_MS } from '../support/hello-ms.ts';
import { tempFolder } from '../support/temp-folder.ts';

const SECRET = 'the secret that both ends know';
const LOCAL = '127.0.0.1';
const LIMITS = daemonLimits({
  EPMUX_LIMITS: 'epmd-clients=6,epmd-request-ms=400,node-connections=5',
});

/** However it ends. */
function closing(socket: net.Socket): Promise<void> {
  socket.on('error', () => undefined).resume();
  return new Promise((closed) => socket.once('close', () => closed()));
}

async function listening(onSocket: (socket: net.Socket) => void): Promise<net.Server> {
  const server = net.createServer({ allowHalfOpen: true }, onSocket).listen(0, LOCAL);
  await once(server, 'listening');
  return server;
}

const portOf = (server: net.Server) => (server.address() as net.AddressInfo).port;

describe('a hostile world around a daemon', () => {
  const folder = tempFolder();
  let node: net.Server;
  let fixture: DaemonFixture;
  let epmdPort: number;

  before(async () => {
    node = await listening((socket) => socket.on('error', () => undefined).pipe(socket));
  });
  after(() => node.close());

  beforeEach(async () => {
    fixture = new DaemonFixture(folder.path);
    const daemon = await fixture.start({ limits: LIMITS });
    ({ epmdPort } = daemon.leading);
  });
  afterEach(() => fixture.stop());

  async function up(port: number, name = 'prod') {
    const client = await fixture.client();
    const spec = connectSpec(port, { name });
    return client.call('up', { spec, secrets: { secret: SECRET } });
  }

  const knocks = (port: number, count: number, host = LOCAL) =>
    Array.from({ length: count }, () => net.connect(port, host));

  it('ends those who ask the virtual epmd in single bytes, and answers others again', async () => {
    const slow = knocks(epmdPort, 20);
    const ended = Promise.all(slow.map(closing));
    let isOver = false;
    void ended.then(() => {
      isOver = true;
    });
    for (const byte of encodeEpmdRequest({ kind: 'port', name: 'a'.repeat(900) })) {
      if (isOver) break;
      for (const socket of slow) if (socket.writable) socket.write(Uint8Array.of(byte));
      await delay(10);
    }
    await ended;
    assert.deepEqual(await askNames({ host: LOCAL, port: epmdPort }), []);
  });

  it('closes what is too much for a node port, and serves again those who come later', async () => {
    const agent = await AgentEnd.start({ secret: SECRET, nodes: { 'app@dyno-1': portOf(node) } });
    const { tunnel } = await up(agent.port);
    const [{ address, port } = { address: '', port: 0 }] = tunnel.nodes;
    const flood = knocks(port, 20, address);
    const refused = flood.map(closing);
    await Promise.race(refused);
    for (const socket of flood) socket.destroy();
    await Promise.all(refused);
    for (;;) {
      const guest = net.connect(port, address);
      guest.on('error', () => undefined).write('hello');
      const heard = await Promise.race([once(guest, 'data'), closing(guest)]).catch(
        () => undefined,
      );
      guest.destroy();
      if (heard !== undefined) break;
    }
    await agent.kill();
  });

  it('takes no name from a dyno that fakes lines of its files', async () => {
    const names = [
      'app@dyno-1',
      'app@dyno-1\n127.0.0.1 bank.example',
      'x\nname app at port 1@dyno-1',
      '\u001b[2J@dyno-1',
      `${'y'.repeat(3_000)}@dyno-1`,
      'app@localhost\n',
    ];
    const nodes = Object.fromEntries(names.map((name) => [name, portOf(node)]));
    const agent = await AgentEnd.start({ secret: SECRET, nodes });
    const { tunnel } = await up(agent.port);
    const reachable = tunnel.nodes.filter(({ unreachable }) => unreachable === undefined);
    assert.deepEqual(
      reachable.map(({ name }) => name),
      ['app@dyno-1'],
    );
    const [{ address } = { address: '' }] = reachable;
    const listed = await askNames({ host: address, port: epmdPort });
    assert.deepEqual(
      listed.map(({ name }) => name),
      ['app'],
    );
    const hosts = readFileSync(fixture.paths.hostsFile, 'utf8');
    assert.match(hosts, /dyno-1/);
    assert.doesNotMatch(hosts, /bank/);
    assert.equal(await askNode({ host: address, port: epmdPort }, 'x'), undefined);
    await agent.kill();
  });

  it('keeps an address for the host of another tunnel, however many hosts a dyno names', async () => {
    const hosts = Array.from({ length: 260 }, (_, host) => [`a@h${host}`, portOf(node)] as const);
    const hostile = await AgentEnd.start({ secret: SECRET, nodes: Object.fromEntries(hosts) });
    const honest = await AgentEnd.start({ secret: SECRET, nodes: { 'app@dyno-1': portOf(node) } });
    await up(hostile.port, 'hostile');
    const { tunnel } = await up(honest.port, 'honest');
    assert.notEqual(tunnel.nodes[0]?.address, LOCAL);
    await hostile.kill();
    await honest.kill();
  });

  it('lets no agent open a stream into it', async () => {
    const bootId = randomBytes(BOOT_ID_BYTES);
    const news = new EventEmitter();
    const attached = once(news, 'attached');
    const agent = await listening((socket) => {
      const about = { software: 'epmux/test', bootId, hostName: 'dyno' };
      const secret = Buffer.from(SECRET);
      const options = { ...about, secret, clock: systemClock, helloTimeoutMs: HELLO_MS };
      void openAgentPipe(duplexPipe(socket, 'daemon'), options).then(
        (opened) => {
          const id = Buffer.from(opened.attach.sessionId, 'hex');
          const driver = new SessionDriver({
            session: new Session('agent', SESSION_DEFAULTS, id, systemClock.now()),
            clock: systemClock,
            handlers: {
              onAttached: () => void news.emit('attached', driver),
              onPipeLost: () => driver.goodbye({ code: 0, text: '' }),
              onEnded: () => undefined,
              onDirectory: () => undefined,
              onIncoming: () => undefined,
              onRtt: () => undefined,
            },
          });
          driver.acceptAttach(opened);
        },
        (error: unknown) => void news.emit('error', error),
      );
    });
    const client = await fixture.client();
    const spec = connectSpec(portOf(agent));
    const upped = client.call('up', { spec, secrets: { secret: SECRET } }).catch(() => undefined);
    const [driver] = (await attached) as [SessionDriver];
    for (const target of ['port/22', 'node/app', '127.0.0.1:22', '/etc/passwd']) {
      await assert.rejects(driver.open(target, 'interactive').accepted, { code: 'NODE_NOT_FOUND' });
    }
    await client.call('down', { name: 'prod' });
    await upped;
    agent.close();
  });
});
