import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { NONCE_BYTES } from '../../src/protocol/constants.ts';
import { FrameDecoder } from '../../src/protocol/decode.ts';
import { encodeFrame } from '../../src/protocol/encode.ts';
import type { Frame } from '../../src/protocol/frames.ts';
import { DaemonHandshake } from '../../src/protocol/handshake.ts';
import { dataHeader } from '../support/data-header.ts';
import { freePort } from '../support/erlang.ts';
import { FarEnd } from '../support/far-end.ts';
import { TestAgent } from '../support/test-agent.ts';

const SECRET = 'the secret that both ends know';
const MIB = 1024 * 1024;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function usedBytes(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** A daemon that has proved itself, and says frames of its own choice from then on. */
class Rogue {
  readonly socket: net.Socket;
  /** Types of the frames that it got. */
  readonly heard: string[] = [];
  readonly #decoder = new FrameDecoder();

  private constructor(socket: net.Socket) {
    this.socket = socket;
  }

  static async attach(port: number): Promise<Rogue> {
    const socket = net.connect(port, '127.0.0.1');
    const rogue = new Rogue(socket);
    const sessionId = randomBytes(16).toString('hex');
    const handshake = new DaemonHandshake({
      secret: Buffer.from(SECRET),
      nonce: randomBytes(NONCE_BYTES),
      software: 'rogue',
      attach: () => encodeFrame({ type: 'ATTACH', kind: 'new', sessionId, received: 0 }),
    });
    socket.on('error', () => undefined).write(handshake.start());
    for (;;) {
      const [chunk] = (await once(socket, 'data')) as [Buffer];
      const step = handshake.receive(chunk);
      socket.write(step.send);
      assert.notEqual(step.state, 'failed');
      if (step.state !== 'done') continue;
      socket.on('data', (bytes) => rogue.#hear(bytes));
      rogue.#hear(step.result.rest);
      return rogue;
    }
  }

  say(...frames: readonly (Frame | Uint8Array)[]): void {
    const bytes = frames.map((frame) => (frame instanceof Uint8Array ? frame : encodeFrame(frame)));
    this.socket.write(Buffer.concat(bytes));
  }

  /** Until the agent has dealt with all that was said. */
  async answered(): Promise<void> {
    const pongs = () => this.heard.filter((type) => type === 'PONG').length;
    const before = pongs();
    this.say({ type: 'PING', token: 2n ** 63n });
    while (pongs() === before) await once(this.socket, 'data');
  }

  #hear(bytes: Uint8Array): void {
    this.#decoder.push(bytes, {
      frame: (frame) => this.heard.push(frame.type),
      data: () => undefined,
      reliable: () => undefined,
    });
  }
}

describe('a hostile daemon that knows the secret', function () {
  this.timeout(60_000);
  let agent: TestAgent;
  let target: FarEnd;
  let rogue: Rogue;

  beforeEach(async () => {
    target = await FarEnd.start();
    const args = ['--epmd-port', String(await freePort()), '--allow', `target=${target.port}`];
    agent = await TestAgent.start(SECRET, args);
    rogue = await Rogue.attach(agent.port);
    await rogue.answered();
  });
  afterEach(async () => {
    rogue.socket.destroy();
    await agent.stop();
    target.stop();
  });

  const open = (stream: number): Frame => ({
    type: 'OPEN',
    stream,
    streamClass: 'bulk',
    target: 'port/target',
  });

  it('has nothing dialled for streams that it resets at once', async () => {
    let most = 0;
    const sockets = () =>
      process.getActiveResourcesInfo().filter((name) => /^TCP(Socket|Connect)Wrap$/.test(name))
        .length;
    const before = sockets();
    const watch = setInterval(() => {
      most = Math.max(most, sockets() - before);
    }, 1);
    for (let id = 1; id < 6_000; id += 2) {
      rogue.say(open(id), { type: 'RESET', stream: id, code: 14, text: '' });
    }
    await rogue.answered();
    clearInterval(watch);
    assert.ok(most < 1_100, `${most} at once`);
  });

  it('has its bytes kept in their own size, however small the frames are', async () => {
    const streams = Array.from({ length: 12 }, (_, index) => 1 + 2 * index);
    rogue.say(...streams.map(open));
    // Nobody reads at the target: what the kernel does not take waits in the agent, as far as the
    // credit goes.
    for (const _ of streams) (await target.next()).pause();
    const before = usedBytes();
    for (const id of streams) {
      const frame = Buffer.concat([dataHeader(id, 1), Uint8Array.of(id)]);
      rogue.say(Buffer.concat(Array.from({ length: 65_536 }, () => frame)));
      await rogue.answered();
    }
    const kept = usedBytes() - before;
    assert.ok(kept < 4 * streams.length * 65_536 + 16 * MIB, `${kept} bytes`);
  });

  it('has no answers kept for it that it does not read', async () => {
    rogue.socket.pause();
    const before = usedBytes();
    const ping = encodeFrame({ type: 'PING', token: 1n });
    const pings = Buffer.concat(Array.from({ length: 65_536 }, () => ping));
    for (let count = 0; count < 12; count += 1) {
      if (!rogue.socket.write(pings)) await once(rogue.socket, 'drain');
    }
    const kept = usedBytes() - before;
    assert.ok(kept < 16 * MIB, `${kept} bytes`);
    rogue.socket.resume();
    await rogue.answered();
  });
});
