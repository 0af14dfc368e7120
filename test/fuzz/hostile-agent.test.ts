import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { MAGIC } from '../../src/protocol/constants.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { DaemonEnd } from '../support/daemon-end.ts';
import { freePort } from '../support/erlang.ts';
import { TestAgent } from '../support/test-agent.ts';
import { DEEDS, type Deed, Meddler, type Way } from './meddler.ts';

const SECRET = 'the secret that both ends know';

/** However it ends. */
function closing(socket: net.Socket): Promise<void> {
  socket.on('error', () => undefined).resume();
  return new Promise((closed) => socket.once('close', () => closed()));
}

async function listening(onSocket: (socket: net.Socket) => void): Promise<net.Server> {
  const server = net.createServer(onSocket).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

const portOf = (server: net.Server) => (server.address() as net.AddressInfo).port;

describe('a hostile world around an agent', () => {
  let echo: net.Server;
  let agent: TestAgent;
  let daemons: DaemonEnd[];
  let noEpmd: number;

  before(async () => {
    noEpmd = await freePort();
    echo = await listening((socket) => socket.on('error', () => undefined).pipe(socket));
  });
  after(() => echo.close());

  const start = async (args: readonly string[] = [], epmdPort = noEpmd) => {
    const allow = `echo=${portOf(echo)}`;
    agent = await TestAgent.start(SECRET, [
      '--epmd-port',
      String(epmdPort),
      '--allow',
      allow,
      ...args,
    ]);
  };
  beforeEach(() => {
    daemons = [];
  });
  afterEach(async () => {
    for (const daemon of daemons) daemon.socket?.destroy();
    await agent.stop();
  });

  async function attached(port = agent.port): Promise<DaemonEnd> {
    const daemon = new DaemonEnd(SECRET);
    daemons.push(daemon);
    await daemon.dial(port);
    return daemon;
  }

  /** A daemon that comes now is served as ever. */
  async function servesAnother(): Promise<void> {
    const { stream, bytes } = await attached().then((daemon) => {
      const opened = daemon.open('port/echo');
      return { stream: opened.stream, bytes: (count: number) => opened.bytes(count) };
    });
    stream.write(Buffer.from('still here'));
    assert.equal(String(await bytes(10)), 'still here');
  }

  it('ends those who say their hello in single bytes at its limit, and lets a daemon in meanwhile', async () => {
    await start(['--limit', 'hello-ms=400']);
    const slow = Array.from({ length: 40 }, () => net.connect(agent.port, '127.0.0.1'));
    const ended = Promise.all(slow.map(closing));
    await Promise.all(slow.map((socket) => once(socket, 'connect')));
    for (const byte of MAGIC) for (const socket of slow) socket.write(Uint8Array.of(byte));
    await servesAnother();
    let isOver = false;
    void ended.then(() => {
      isOver = true;
    });
    for (let nonce = 0; !isOver; nonce += 1) {
      for (const socket of slow) if (socket.writable) socket.write(Uint8Array.of(nonce % 2));
      await delay(20);
    }
    await ended;
  });

  it('takes no recorded hello and proof for a daemon', async () => {
    await start();
    const recorder = await Meddler.start(agent.port, 'repeat', 'up');
    const daemon = await attached(recorder.port);
    await daemon.until('attached', () => daemon.attachments[0]);
    const recorded = Buffer.concat(recorder.passed.up);
    recorder.stop();
    const replay = net.connect(agent.port, '127.0.0.1');
    const heard: Buffer[] = [];
    replay.on('data', (chunk: Buffer) => heard.push(chunk));
    replay.write(recorded);
    await closing(replay);
    const said = Buffer.concat(heard);
    assert.match(said.subarray(46).toString('latin1'), /did not prove that it knows the secret/);
  });

  it('is not taken for an agent by a daemon to which it was recorded', async () => {
    await start();
    const recorder = await Meddler.start(agent.port, 'repeat', 'up');
    const daemon = await attached(recorder.port);
    await daemon.until('attached', () => daemon.attachments[0]);
    const recorded = Buffer.concat(recorder.passed.down);
    recorder.stop();
    const impostor = await listening((socket) => {
      socket.on('error', () => undefined).resume();
      socket.write(recorded);
    });
    await assert.rejects(attached(portOf(impostor)), { code: 'SECRET_REFUSED' });
    impostor.close();
  });

  it('outlives an epmd whose names and ports can be none', async () => {
    const lines = [
      'name app at port 99999\n',
      'name \u001b[2J at port 1\n',
      `name ${'x'.repeat(70_000)} at port 2\n`,
      'name good at port 65535\n',
    ];
    const epmd = await listening((socket) => {
      socket
        .on('error', () => undefined)
        .once('data', () => {
          socket.write(Buffer.from([0, 0, 17, 17]));
          for (const piece of lines) socket.write(piece);
          socket.end();
        });
    });
    await start([], portOf(epmd));
    const daemon = await attached();
    const { nodes } = await daemon.directory(({ nodes: told }) => told.length > 0);
    assert.ok(nodes.every(({ name, port }) => name !== 'app' && port <= 65_535));
    assert.ok(nodes.some(({ name }) => name === 'good'));
    epmd.close();
    await servesAnother();
  });

  const deeds: readonly Deed[] = [...(Object.keys(DEEDS) as (keyof typeof DEEDS)[]), 'reorder'];
  for (const deed of deeds) {
    for (const way of ['up', 'down'] as const satisfies readonly Way[]) {
      it(`goes on after a man in the middle who does this to frames ${way}: ${deed}`, async () => {
        await start();
        const meddler = await Meddler.start(agent.port, deed, way);
        const daemon = await attached(meddler.port);
        const stream = daemon.open('port/echo');
        const news = Promise.race([stream.closed, stream.bytes(4_000).catch(() => undefined)]);
        for (let sent = 0; sent < 400; sent += 1) {
          stream.stream.write(Buffer.alloc(10, sent));
          if (sent % 10 === 0) await new Promise(setImmediate);
        }
        // What has been dropped may never be missed: whoever waits for it is released by the cut.
        await Promise.race([news, untilMeddled(meddler, daemon)]);
        assert.ok(meddler.meddled > 0);
        meddler.stop();
        if (daemon.ended?.error !== undefined) assert.ok(daemon.ended.error instanceof EpmuxError);
        await servesAnother();
      });
    }
  }
});

/** Until a good part of the frames has passed, or the session has had enough. */
async function untilMeddled(meddler: Meddler, daemon: DaemonEnd): Promise<void> {
  while (meddler.meddled < 3 && daemon.ended === undefined && daemon.losses.length === 0) {
    await delay(10);
  }
}
