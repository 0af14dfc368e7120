import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import fc from 'fast-check';
import { NameTable, splitNodeName } from '../../src/daemon/names.ts';
import { VirtualEpmd } from '../../src/daemon/virtual-epmd.ts';
import { encodeEpmdRequest } from '../../src/erlang/epmd.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { askNames, askNode } from '../../src/runtime/epmd-client.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { DEFAULT_LIMITS } from '../support/default-limits.ts';
import { freePort } from '../support/erlang.ts';
import { LOCAL, register } from './epmd-support.ts';

async function untilClosed(socket: net.Socket): Promise<Buffer> {
  const heard: Buffer[] = [];
  socket.on('error', () => undefined).on('data', (chunk: Buffer) => heard.push(chunk));
  if (!socket.closed) await once(socket, 'close');
  return Buffer.concat(heard);
}

describe('the virtual epmd', () => {
  let names: NameTable;
  let upstreamPort: number;
  let epmd: VirtualEpmd;

  const start = (port?: number) =>
    VirtualEpmd.start({
      port,
      names,
      upstream: { host: LOCAL, port: upstreamPort },
      limits: DEFAULT_LIMITS,
      clock: systemClock,
      logger: silentLogger,
    });

  beforeEach(async () => {
    names = new NameTable();
    upstreamPort = await freePort();
    epmd = await start();
  });
  afterEach(() => epmd.close());

  const ask = (name: string, host = LOCAL) => askNode({ host, port: epmd.port }, name);

  it('knows a local node for as long as its connection stands', async () => {
    const { socket, result, creation } = await register(epmd.port, 'me');
    assert.equal(result, 0);
    assert.ok(creation > 3);
    assert.equal((await ask('me'))?.port, 4000);
    assert.equal((await ask('me', LOCAL))?.highest, 6);
    socket.destroy();
    while ((await ask('me')) !== undefined);
  });

  it('gives an old node a creation that it understands', async () => {
    const { socket, result, creation } = await register(epmd.port, 'old', 5);
    assert.equal(result, 0);
    assert.ok(creation >= 1 && creation <= 3);
    socket.destroy();
  });

  it('takes no more nodes than its limit, although all ask while the machine’s epmd is slow', async () => {
    const slow = net.createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => setTimeout(() => socket.end(Uint8Array.of(119, 1)), 200));
    });
    await once(slow.listen(0, LOCAL), 'listening');
    const { port } = slow.address() as net.AddressInfo;
    const small = await VirtualEpmd.start({
      port: undefined,
      names,
      upstream: { host: LOCAL, port },
      limits: { ...DEFAULT_LIMITS, epmdNodes: 2 },
      clock: systemClock,
      logger: silentLogger,
    });
    try {
      const asked = Array.from({ length: 6 }, (_, index) => register(small.port, `node${index}`));
      const results = (await Promise.all(asked)).map(({ result }) => result);
      assert.deepEqual(results.sort(), [0, 0, 1, 1, 1, 1]);
    } finally {
      await small.close();
      slow.close();
    }
  });

  it('refuses a name that a local or a remote node has there', async () => {
    names.publish({
      ...splitNodeName('app@localhost'),
      address: LOCAL,
      port: 1,
      visible: true,
      behind: 'web.1',
    });
    const { socket } = await register(epmd.port, 'me');
    assert.equal((await register(epmd.port, 'me')).result, 1);
    assert.equal((await register(epmd.port, 'app')).result, 1);
    socket.destroy();
  });

  it('keeps its name for a local node that was first, and the remote one says that it is not reached', async () => {
    names.localNames((short) => epmd.hasLocal(short));
    const { socket } = await register(epmd.port, 'app');
    const both = { visible: true, behind: 'shop' };
    const shared = { ...splitNodeName('app@dyno-1'), ...both, address: LOCAL, port: 1 };
    const own = { ...splitNodeName('app@dyno-2'), ...both, address: '127.0.0.2', port: 2 };
    for (const node of [shared, own]) names.publish(node);
    assert.equal((await ask('app'))?.port, 4000);
    assert.equal(
      names.unreachable(shared),
      'a node of this machine was first to have the name app on 127.0.0.1',
    );
    assert.equal(names.unreachable(own), undefined);
    socket.destroy();
    while ((await ask('app'))?.port !== 1);
    assert.equal(names.unreachable(shared), undefined);
  });

  it('refuses local nodes on the address of a remote host', async () => {
    assert.equal(await epmd.listenOn('127.0.0.2'), 'open');
    assert.equal((await register(epmd.port, 'me', 6, '127.0.0.2')).result, 1);
  });

  it('tells the nodes of a remote host on its address, and no others', async () => {
    names.publish({
      ...splitNodeName('app@dyno'),
      address: '127.0.0.2',
      port: 7,
      visible: false,
      behind: 'web.1',
    });
    await epmd.listenOn('127.0.0.2');
    const { socket } = await register(epmd.port, 'me');
    assert.deepEqual(await ask('app', '127.0.0.2').then((node) => [node?.port, node?.visible]), [
      7,
      false,
    ]);
    assert.equal(await ask('app'), undefined);
    assert.equal(await ask('me', '127.0.0.2'), undefined);
    assert.deepEqual(await askNames({ host: '127.0.0.2', port: epmd.port }), [
      { name: 'app', port: 7 },
    ]);
    socket.destroy();
  });

  it('answers no more on an address that it is told to leave, and can take it again', async () => {
    assert.equal(await epmd.listenOn('127.0.0.3'), 'open');
    epmd.stopOn('127.0.0.3');
    await assert.rejects(ask('app', '127.0.0.3'), { code: 'NO_EPMD' });
    assert.equal(await epmd.listenOn('127.0.0.3'), 'open');
    assert.equal(await ask('app', '127.0.0.3'), undefined);
  });

  it('tells an address that is taken from one that is not there', async () => {
    const other = net.createServer().listen({ host: '127.0.0.4', port: epmd.port });
    await once(other, 'listening');
    assert.equal(await epmd.listenOn('127.0.0.4'), 'taken');
    other.close();
    // TEST-NET-1 (RFC 5737): no machine has it.
    assert.equal(await epmd.listenOn('192.0.2.1'), 'absent');
  });

  it('knows nothing more when the machine has no epmd', async () => {
    assert.equal(await ask('other'), undefined);
    assert.deepEqual(await askNames({ host: LOCAL, port: epmd.port }), []);
  });

  it('keeps the port that shells know, and takes another when that is taken', async () => {
    const { port } = epmd;
    await epmd.close();
    epmd = await start(port);
    assert.equal(epmd.port, port);
    const second = await start(port);
    assert.notEqual(second.port, port);
    await second.close();
  });

  it('closes who sends garbage, and goes on', async () => {
    const { socket } = await register(epmd.port, 'me');
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 3, maxLength: 2_000 }), async (garbage) => {
        const stranger = net.connect(epmd.port, LOCAL);
        stranger.end(garbage);
        await untilClosed(stranger);
      }),
      { numRuns: 50 },
    );
    assert.equal((await ask('me'))?.port, 4000);
    socket.destroy();
  });

  it('takes a request in whatever pieces it comes', async () => {
    const socket = net.connect(epmd.port, LOCAL);
    socket.setNoDelay(true);
    const { socket: held } = await register(epmd.port, 'me');
    const heard = untilClosed(socket);
    for (const byte of encodeEpmdRequest({ kind: 'port', name: 'me' })) {
      socket.write(Uint8Array.of(byte));
      await new Promise((turn) => setImmediate(turn));
    }
    assert.equal((await heard)[0], 119);
    held.destroy();
  });

  it('answers who closes its half with the question, and ends a node that closes its own', async () => {
    const socket = net.connect(epmd.port, LOCAL);
    socket.end(encodeEpmdRequest({ kind: 'names' }));
    assert.equal((await untilClosed(socket)).readUInt32BE(), epmd.port);
    const { socket: node } = await register(epmd.port, 'me');
    node.end();
    await once(node, 'close');
    while ((await ask('me')) !== undefined);
  });

  it('refuses to be ended', async () => {
    for (const request of [{ kind: 'kill' }, { kind: 'stop', name: 'me' }] as const) {
      const socket = net.connect(epmd.port, LOCAL);
      socket.write(encodeEpmdRequest(request));
      const answer = await untilClosed(socket);
      assert.equal(answer.toString(), request.kind === 'kill' ? 'NO' : '');
    }
    assert.equal(await ask('x'), undefined);
  });

  it('refuses more clients than it has room for; registered nodes do not count', async () => {
    const { socket: me } = await register(epmd.port, 'me');
    const waiting: net.Socket[] = [];
    for (let client = 0; client < 256; client += 1) {
      const socket = net.connect(epmd.port, LOCAL);
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      waiting.push(socket);
    }
    const late = net.connect(epmd.port, LOCAL);
    late.write(encodeEpmdRequest({ kind: 'port', name: 'me' }));
    assert.equal((await untilClosed(late)).length, 0);
    for (const socket of waiting) socket.destroy();
    // Their ends reach the server in their own time.
    while ((await ask('me').catch(() => undefined)) === undefined);
    me.destroy();
  });
});
