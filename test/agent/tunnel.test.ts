import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { createLineLogger } from '../../src/agent/line-logger.ts';
import { type AgentOptions, parseAgentOptions } from '../../src/agent/options.ts';
import { startTunnel } from '../../src/agent/tunnel.ts';
import { FRAME_HEADER_BYTES, WireCode } from '../../src/protocol/constants.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { wireCodeName } from '../../src/protocol/wire-codes.ts';
import { DaemonEnd } from '../support/daemon-end.ts';
import { freePort } from '../support/erlang.ts';
import { TestAgent } from '../support/test-agent.ts';

const SECRET = 'the secret that both ends know';

/** Resolves when the socket is closed, however. */
function closing(socket: Socket): Promise<void> {
  socket.on('error', () => {});
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
  });
}

/** What the agent says to a stranger who sends this and waits, until it closes. */
async function strangerHears(port: number, ...words: readonly Uint8Array[]): Promise<Buffer> {
  const socket = connect(port, '127.0.0.1');
  const heard: Buffer[] = [];
  socket.on('data', (chunk) => heard.push(chunk));
  for (const word of words) socket.write(word);
  await closing(socket);
  return Buffer.concat(heard);
}

describe('the agent on its port', () => {
  let agent: TestAgent;
  let echo: Server;
  let echoPort = 0;
  let ends: DaemonEnd[] = [];
  let noEpmd = '';

  before(async () => {
    noEpmd = String(await freePort());
    echo = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {});
      socket.pipe(socket);
    });
    echo.listen(0, '127.0.0.1');
    await once(echo, 'listening');
    echoPort = (echo.address() as { readonly port: number }).port;
  });
  after(() => echo.close());

  async function start(...args: readonly string[]): Promise<TestAgent> {
    agent = await TestAgent.start(SECRET, [
      '--epmd-port',
      noEpmd,
      '--allow',
      `echo=${echoPort}`,
      ...args,
    ]);
    return agent;
  }

  function daemon(secret = SECRET, id?: Uint8Array): DaemonEnd {
    const end = new DaemonEnd(secret, id);
    ends.push(end);
    return end;
  }

  afterEach(async () => {
    for (const end of ends) end.socket?.destroy();
    ends = [];
    await agent.stop();
  });

  it('attaches a session, says who it is and tells that no epmd answers', async () => {
    await start();
    const end = daemon();
    await end.dial(agent.port);
    const { resumed, peer } = await end.until('attached', () => end.attachments[0]);
    assert.equal(resumed, false);
    assert.match(peer.bootId, /^[0-9a-f]{32}$/);
    assert.match(peer.software, /^epmux\/\d/);
    const directory = await end.directory(({ epmdDown }) => epmdDown);
    assert.deepEqual(directory.nodes, []);
  });

  it('opens what the allow list names, and ends it when either side does', async () => {
    await start();
    const end = daemon();
    await end.dial(agent.port);
    const stream = end.open('port/echo');
    stream.stream.write(Buffer.from('hello'));
    assert.equal(String(await stream.bytes(5)), 'hello');
    stream.stream.end();
    assert.equal(await stream.closed, undefined);
  });

  const rejected: readonly [target: string, code: keyof typeof WireCode][] = [
    ['port/other', 'UNKNOWN_TARGET'],
    ['port/9001', 'UNKNOWN_TARGET'],
    ['127.0.0.1:22', 'UNKNOWN_TARGET'],
    ['node/', 'UNKNOWN_TARGET'],
    ['node/app', 'NO_EPMD'],
  ];
  for (const [target, code] of rejected) {
    it(`rejects ${target} with ${code}`, async () => {
      await start();
      const end = daemon();
      await end.dial(agent.port);
      const { stream } = end.open(target);
      await assert.rejects(stream.accepted);
      assert(agent.log.some((line) => line.includes(`rejected target=${target} code=${code}`)));
    });
  }

  it('refuses a wrong secret, loudly in its log, and disturbs nobody', async () => {
    await start();
    const good = daemon();
    await good.dial(agent.port);
    const stream = good.open('port/echo');
    const bad = daemon('another secret altogether');
    await assert.rejects(bad.dial(agent.port), (error) => {
      assert(error instanceof EpmuxError);
      assert.equal(error.code, 'SECRET_REFUSED');
      return true;
    });
    assert(
      agent.log.some((line) => /warn a connection is refused .*code=SECRET_REFUSED/.test(line)),
    );
    assert(!agent.log.some((line) => line.includes('another secret') || line.includes(SECRET)));
    stream.stream.write(Buffer.from('still here'));
    assert.equal(String(await stream.bytes(10)), 'still here');
  });

  it('says no more than its hello to garbage, and warns of it not at all', async () => {
    await start();
    const heard = await strangerHears(agent.port, Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    assert.equal(String(heard.subarray(0, 5)), 'EPMUX');
    const hello = heard.length;
    const flood = await strangerHears(agent.port, Buffer.alloc(1_000_000, 'EPMUX'));
    assert(flood.length <= hello, 'nothing behind the hello');
    assert(!agent.log.some((line) => line.includes(' warn ')));
  });

  it('refuses an end that speaks as it should but never proves itself', async () => {
    await start();
    const magic = Buffer.from('45504d55580d0a1a', 'hex');
    const hello = Buffer.concat([
      magic,
      Buffer.from([0, 1, 1, 0]),
      Buffer.alloc(32),
      Buffer.alloc(2),
    ]);
    const attach = Buffer.concat([Buffer.from('0300001900000000', 'hex'), Buffer.alloc(25)]);
    const heard = await strangerHears(agent.port, hello, attach);
    const refusal = heard.subarray(heard.lastIndexOf(Buffer.from([0x02, 0, 0])));
    assert.equal(wireCodeName(refusal.readUInt16BE(FRAME_HEADER_BYTES)), 'PROTOCOL');
  });

  it('keeps two sessions apart', async () => {
    await start();
    const [one, two] = [daemon(), daemon()];
    await Promise.all([one.dial(agent.port), two.dial(agent.port)]);
    const [a, b] = [one.open('port/echo'), two.open('port/echo')];
    a.stream.write(Buffer.from('one'));
    b.stream.write(Buffer.from('two'));
    assert.equal(String(await a.bytes(3)), 'one');
    assert.equal(String(await b.bytes(3)), 'two');
    one.driver.goodbye({ code: WireCode.NONE, text: '' });
    await one.until('the end', () => one.ended);
    b.stream.write(Buffer.from('!'));
    assert.equal(String(await b.bytes(4)), 'two!');
  });

  it('resumes a session through a new connection, with what was sent meanwhile', async () => {
    await start();
    const end = daemon();
    await end.dial(agent.port);
    const stream = end.open('port/echo');
    stream.stream.write(Buffer.from('before '));
    await stream.bytes(7);
    end.socket?.destroy();
    await end.until('the loss', () => end.losses[0]);
    stream.stream.write(Buffer.from('meanwhile '));
    await end.dial(agent.port);
    stream.stream.write(Buffer.from('after'));
    assert.equal(String(await stream.bytes(22)), 'before meanwhile after');
    assert.deepEqual(
      end.attachments.map(({ resumed }) => resumed),
      [false, true],
    );
  });

  it('lets a newer connection take a session over from one that only seems alive', async () => {
    await start();
    let stale: Socket | undefined;
    const relay = createServer((socket) => {
      stale = connect(agent.port, '127.0.0.1');
      stale.pipe(socket, { end: false });
      socket.on('data', (chunk) => stale?.write(chunk));
      socket.on('error', () => {});
      socket.on('close', () => stale?.resume());
    });
    relay.listen(0, '127.0.0.1');
    await once(relay, 'listening');
    const end = daemon();
    await end.dial((relay.address() as { readonly port: number }).port);
    await end.until('attached', () => end.attachments[0]);
    const stream = end.open('port/echo');
    stream.stream.write(Buffer.from('one '));
    await stream.bytes(4);
    assert(stale !== undefined && !stale.destroyed);
    const closed = closing(stale);
    await end.dial(agent.port);
    await closed;
    stream.stream.write(Buffer.from('two'));
    assert.equal(String(await stream.bytes(7)), 'one two');
    relay.close();
  });

  it('gives a session up after its grace, with its streams', async () => {
    await start('--grace', '100ms');
    const gone = new Promise<void>((resolve) => {
      echo.once('connection', (socket: Socket) => socket.once('close', () => resolve()));
    });
    const end = daemon();
    await end.dial(agent.port);
    await end.open('port/echo').stream.accepted;
    end.socket?.destroy();
    await gone;
    await end.dial(agent.port).catch(() => {});
    const { error } = await end.until('the end', () => end.ended);
    assert.equal(error?.code, 'SESSION_LOST');
  });

  it('is another incarnation after a restart, and knows no session of the one before', async () => {
    await start();
    const end = daemon();
    await end.dial(agent.port);
    const first = await end.until('attached', () => end.attachments[0]);
    end.socket?.destroy();
    await end.until('the loss', () => end.losses[0]);
    await agent.stop();
    await start();
    await end.dial(agent.port).catch(() => {});
    const { error } = await end.until('the end', () => end.ended);
    assert.equal(error?.code, 'SESSION_LOST');
    const next = daemon();
    await next.dial(agent.port);
    const second = await next.until('attached', () => next.attachments[0]);
    assert.notEqual(second.peer.bootId, first.peer.bootId);
  });

  it('says goodbye to every session when it stops, and frees its port', async () => {
    await start();
    const end = daemon();
    await end.dial(agent.port);
    const stream = end.open('port/echo');
    await stream.stream.accepted;
    await agent.stop();
    const { reason } = await end.until('the end', () => end.ended);
    assert.equal(wireCodeName(reason.code), 'SHUTDOWN');
    assert((await stream.closed) instanceof EpmuxError);
    await assert.rejects(once(connect(agent.port, '127.0.0.1'), 'connect'), /ECONNREFUSED/);
  });

  it('lets a daemon in however many silent connections there are', async () => {
    await start();
    const idle = Array.from({ length: 100 }, () => connect(agent.port, '127.0.0.1'));
    const closed = idle.map(closing);
    for (const socket of idle) socket.resume();
    const end = daemon();
    await end.dial(agent.port);
    await end.until('attached', () => end.attachments[0]);
    await Promise.all(closed.slice(0, 69));
    assert(
      idle.slice(69).some((socket) => !socket.destroyed),
      'the youngest may still wait',
    );
    for (const socket of idle) socket.destroy();
  });

  it('tells a taken port from an address that is not its own', async () => {
    await start();
    const taken = parseAgentOptions(['--port', String(agent.port)], {});
    const foreign = parseAgentOptions(['--listen', '192.0.2.1:0'], {});
    const quiet = createLineLogger('error', () => {});
    for (const [request, code] of [
      [taken, 'PORT_TAKEN'],
      [foreign, 'USAGE'],
    ] as const) {
      const { options } = request as { readonly options: AgentOptions };
      await assert.rejects(startTunnel(options, Buffer.from(SECRET), quiet), (error) => {
        assert(error instanceof EpmuxError);
        assert.equal(error.code, code);
        return true;
      });
    }
  });
});
