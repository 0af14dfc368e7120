import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { AGENT_LIMITS } from '../../src/agent/limits.ts';
import { createLineLogger } from '../../src/agent/line-logger.ts';
import { type AgentOptions, parseAgentOptions } from '../../src/agent/options.ts';
import { startTunnel } from '../../src/agent/tunnel.ts';
import { FRAME_HEADER_BYTES, type WireCode } from '../../src/protocol/constants.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { wireCodeName } from '../../src/protocol/wire-codes.ts';
import { AgentRig, closing, SECRET } from './tunnel-support.ts';

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
  let rig: AgentRig;

  before(async () => {
    rig = await AgentRig.make();
  });
  afterEach(() => rig.clear());
  after(() => rig.close());

  it('attaches a session, says who it is and tells that no epmd answers', async () => {
    const agent = await rig.start();
    const end = rig.daemon();
    await end.dial(agent.port);
    const { resumed, peer } = await end.until('attached', () => end.attachments[0]);
    assert.equal(resumed, false);
    assert.match(peer.bootId, /^[0-9a-f]{32}$/);
    assert.match(peer.software, /^epmux\/\d/);
    const directory = await end.directory(({ epmdDown }) => epmdDown);
    assert.deepEqual(directory.nodes, []);
  });

  it('opens what the allow list names, and ends it when either side does', async () => {
    const agent = await rig.start();
    const end = rig.daemon();
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
      const agent = await rig.start();
      const end = rig.daemon();
      await end.dial(agent.port);
      const { stream } = end.open(target);
      await assert.rejects(stream.accepted);
      assert(agent.log.some((line) => line.includes(`rejected target=${target} code=${code}`)));
    });
  }

  it('refuses a wrong secret, loudly in its log, and disturbs nobody', async () => {
    const agent = await rig.start();
    const good = rig.daemon();
    await good.dial(agent.port);
    const stream = good.open('port/echo');
    const bad = rig.daemon('another secret altogether');
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
    const agent = await rig.start();
    const heard = await strangerHears(agent.port, Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    assert.equal(String(heard.subarray(0, 5)), 'EPMUX');
    const hello = heard.length;
    const flood = await strangerHears(agent.port, Buffer.alloc(1_000_000, 'EPMUX'));
    assert(flood.length <= hello, 'nothing behind the hello');
    assert(!agent.log.some((line) => line.includes(' warn ')));
  });

  it('refuses an end that speaks as it should but never proves itself', async () => {
    const agent = await rig.start();
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

  it('lets a daemon in however many silent connections there are', async () => {
    const agent = await rig.start();
    const waitingPipes = AGENT_LIMITS.waitingPipes.default;
    const idle = Array.from({ length: waitingPipes + 50 }, () => connect(agent.port, '127.0.0.1'));
    const waiting = new Set(idle);
    for (const socket of idle) {
      socket.on('error', () => undefined).resume();
      socket.once('close', () => waiting.delete(socket));
    }
    while (waiting.size > waitingPipes) await delay(10);
    const end = rig.daemon();
    await end.dial(agent.port);
    await end.until('attached', () => end.attachments[0]);
    assert(waiting.size > 0, 'not all of them had to go');
    for (const socket of idle) socket.destroy();
  });

  it('tells a taken port from an address that is not its own', async () => {
    const agent = await rig.start();
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
