import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { hostsText, inetrcText } from '../../src/daemon/inetrc.ts';
import { NameTable, splitNodeName } from '../../src/daemon/names.ts';
import { NodePort } from '../../src/daemon/node-port.ts';
import { VirtualEpmd } from '../../src/daemon/virtual-epmd.ts';
import { aliveAnswer, encodeEpmdRequest } from '../../src/erlang/epmd.ts';
import { askNames, askNode } from '../../src/runtime/epmd-client.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { duplexPipe } from '../../src/runtime/socket-pipe.ts';
import { splice } from '../../src/runtime/splice.ts';
import { ErlangHost, type ErlangNode, freePort } from '../support/erlang.ts';
import { tempFolder } from '../support/temp-folder.ts';

const LOCAL = '127.0.0.1';
const run = promisify(execFile);

const alive = (name: string, highest = 6) =>
  encodeEpmdRequest({
    kind: 'alive',
    node: { name, port: 4000, visible: true, highest, lowest: 5, extra: new Uint8Array(0) },
  });

/** Registers by hand; the socket has to stay open. */
async function register(port: number, name: string, highest?: number, address = LOCAL) {
  const socket = net.connect(port, address);
  socket.on('error', () => undefined);
  socket.write(alive(name, highest));
  const answer = aliveAnswer();
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    const given = answer.push(chunk as Buffer);
    if (given !== undefined) return { socket, ...given };
  }
  throw new Error('closed without an answer');
}

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

  it('refuses a name that a local or a remote node has there', async () => {
    names.publish({ ...splitNodeName('app@localhost'), address: LOCAL, port: 1, visible: true });
    const { socket } = await register(epmd.port, 'me');
    assert.equal((await register(epmd.port, 'me')).result, 1);
    assert.equal((await register(epmd.port, 'app')).result, 1);
    socket.destroy();
  });

  it('refuses local nodes on the address of a remote host', async () => {
    assert.equal(await epmd.listenOn('127.0.0.2'), true);
    assert.equal((await register(epmd.port, 'me', 6, '127.0.0.2')).result, 1);
  });

  it('tells the nodes of a remote host on its address, and no others', async () => {
    names.publish({ ...splitNodeName('app@dyno'), address: '127.0.0.2', port: 7, visible: false });
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

describe('local Erlang nodes led by the virtual epmd', function () {
  this.timeout(30_000);
  const folder = tempFolder();
  let laptop: ErlangHost;
  let names: NameTable;
  let epmd: VirtualEpmd;
  let env: Record<string, string>;
  const closers: (() => unknown)[] = [];

  before(async () => {
    laptop = await ErlangHost.start({ hostName: 'laptop', cookie: 'ONE' });
    names = new NameTable();
    const upstream = { host: LOCAL, port: laptop.epmdPort };
    epmd = await VirtualEpmd.start({ port: undefined, names, upstream, logger: silentLogger });
  });
  after(async () => {
    await epmd?.close();
    await laptop?.stop();
  });
  beforeEach(() => {
    const inetrc = join(folder.path, 'inetrc');
    writeFileSync(inetrc, inetrcText(join(folder.path, 'hosts')));
    env = { ERL_EPMD_PORT: String(epmd.port), ERL_INETRC: inetrc };
    writeHosts();
  });
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  const writeHosts = () =>
    writeFileSync(join(folder.path, 'hosts'), hostsText(names.hosts(), ['laptop']));

  const node = async (name: string, led = true): Promise<ErlangNode> => {
    const started = await laptop.node(name, led ? { env } : {});
    closers.push(() => started.stop());
    return started;
  };

  it('find each other, and those of the machine’s own epmd', async () => {
    const [a, b, c] = await Promise.all([node('a'), node('b'), node('c', false)]);
    assert.equal(await a.eval(`net_adm:ping('${b.name}')`), 'pong');
    assert.equal(await a.eval(`net_adm:ping('${c.name}')`), 'pong');
    assert.equal(await a.eval("net_adm:ping('nobody@laptop')"), 'pang');
    const { stdout } = await run('epmd', ['-port', String(epmd.port), '-names']);
    for (const name of ['a', 'b', 'c']) assert.match(stdout, new RegExp(`^name ${name} at`, 'm'));
    await assert.rejects(run('epmd', ['-port', String(epmd.port), '-kill']));
    assert.equal((await register(epmd.port, 'c')).result, 1);
  });

  it('reach two hosts whose nodes have the same short name, by names they learn while they run', async () => {
    const a = await node('a');
    const published = await Promise.all(
      ['dyno-1', 'dyno-2'].map(async (hostName, index) => {
        const host = await ErlangHost.start({ hostName, cookie: 'ONE' });
        closers.push(() => host.stop());
        const app = await host.node('app');
        const target = await askNode({ host: LOCAL, port: host.epmdPort }, 'app');
        const address = `127.0.0.${index + 2}`;
        const port = await NodePort.listen({
          node: app.name,
          address,
          logger: silentLogger,
          onConnection: (local) => {
            const remote = net.connect({
              host: LOCAL,
              port: target?.port ?? 0,
              allowHalfOpen: true,
            });
            splice(local, duplexPipe(remote, 'the node'));
          },
        });
        closers.push(() => port.close());
        await epmd.listenOn(address);
        names.publish({ ...splitNodeName(app.name), address, port: port.port, visible: true });
        return app;
      }),
    );
    writeHosts();
    for (const app of published) {
      while ((await a.eval(`net_adm:ping('${app.name}')`)) !== 'pong') {
        await a.eval('timer:sleep(200)');
      }
      assert.equal(await a.eval(`rpc:call('${app.name}', erlang, node, [])`), `'${app.name}'`);
    }
  });
});
