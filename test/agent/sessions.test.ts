import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { WireCode } from '../../src/protocol/constants.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { wireCodeName } from '../../src/protocol/wire-codes.ts';
import { AgentRig, closing } from './tunnel-support.ts';

describe('sessions with an agent', () => {
  let rig: AgentRig;

  before(async () => {
    rig = await AgentRig.make();
  });
  afterEach(() => rig.clear());
  after(() => rig.close());

  it('keeps two sessions apart', async () => {
    const agent = await rig.start();
    const [one, two] = [rig.daemon(), rig.daemon()];
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
    const agent = await rig.start();
    const end = rig.daemon();
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
    const agent = await rig.start();
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
    const end = rig.daemon();
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
    const agent = await rig.start('--grace', '100ms');
    const gone = new Promise<void>((resolve) => {
      rig.echo.once('connection', (socket: Socket) => socket.once('close', () => resolve()));
    });
    const end = rig.daemon();
    await end.dial(agent.port);
    await end.open('port/echo').stream.accepted;
    end.socket?.destroy();
    await gone;
    await end.dial(agent.port).catch(() => {});
    const { error } = await end.until('the end', () => end.ended);
    assert.equal(error?.code, 'SESSION_LOST');
  });

  it('is another incarnation after a restart, and knows no session of the one before', async () => {
    let agent = await rig.start();
    const end = rig.daemon();
    await end.dial(agent.port);
    const first = await end.until('attached', () => end.attachments[0]);
    end.socket?.destroy();
    await end.until('the loss', () => end.losses[0]);
    await agent.stop();
    agent = await rig.start();
    await end.dial(agent.port).catch(() => {});
    const { error } = await end.until('the end', () => end.ended);
    assert.equal(error?.code, 'SESSION_LOST');
    const next = rig.daemon();
    await next.dial(agent.port);
    const second = await next.until('attached', () => next.attachments[0]);
    assert.notEqual(second.peer.bootId, first.peer.bootId);
  });

  it('says goodbye to every session when it stops, and frees its port', async () => {
    const agent = await rig.start();
    const end = rig.daemon();
    await end.dial(agent.port);
    const stream = end.open('port/echo');
    await stream.stream.accepted;
    await agent.stop();
    const { reason } = await end.until('the end', () => end.ended);
    assert.equal(wireCodeName(reason.code), 'SHUTDOWN');
    assert((await stream.closed) instanceof EpmuxError);
    await assert.rejects(once(connect(agent.port, '127.0.0.1'), 'connect'), /ECONNREFUSED/);
  });
});
