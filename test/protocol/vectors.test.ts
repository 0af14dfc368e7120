import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { PartialFrame } from '../../src/protocol/decode.ts';
import { FrameDecoder } from '../../src/protocol/decode.ts';
import { encodeFrame } from '../../src/protocol/encode.ts';
import type { Frame } from '../../src/protocol/frames.ts';
import { AgentHandshake, DaemonHandshake } from '../../src/protocol/handshake.ts';
import { encodeHello, readAttributes, readHello } from '../../src/protocol/hello.ts';
import { proofOf } from '../../src/protocol/proof.ts';
import { Collector, hex } from './collect.ts';

type Json = Record<string, unknown>;

function load<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../vectors/${name}`, import.meta.url), 'utf8')) as T;
}

/** JSON has neither bytes nor 64-bit integers: they stand as hexadecimal and as decimal text. */
function frameOf(json: Json): Frame {
  const frame = { ...json };
  for (const field of ['proof', 'payload']) {
    if (typeof frame[field] === 'string') frame[field] = hex(frame[field]);
  }
  if (typeof frame['token'] === 'string') frame['token'] = BigInt(frame['token']);
  return frame as unknown as Frame;
}

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('test vectors: handshake', () => {
  const vector = load<{
    secret: { text: string; hex: string };
    daemon: { nonce: string; software: string; hello: string; proof: string };
    agent: {
      nonce: string;
      software: string;
      bootId: string;
      hostName: string;
      hello: string;
      proof: string;
    };
  }>('handshake.json');
  const { daemon, agent } = vector;
  const about = {
    software: agent.software,
    bootId: hex(agent.bootId),
    hostName: agent.hostName,
  };
  const transcript = { daemon: hex(daemon.hello), agent: hex(agent.hello) };
  const secret = Buffer.from(vector.secret.text);

  it('hellos are written so', () => {
    const daemonHello = encodeHello('daemon', hex(daemon.nonce), { software: daemon.software });
    assert.equal(toHex(daemonHello), daemon.hello);
    assert.equal(toHex(encodeHello('agent', hex(agent.nonce), about)), agent.hello);
  });

  it('hellos are read so', () => {
    const hello = readHello(hex(agent.hello), 'agent');
    assert.ok(hello);
    assert.deepEqual(readAttributes(hello, 'agent', 0), {
      minor: 0,
      software: agent.software,
      bootId: agent.bootId,
      hostName: agent.hostName,
    });
  });

  it('proofs are these', () => {
    assert.equal(toHex(secret), vector.secret.hex);
    assert.equal(toHex(proofOf('daemon', secret, transcript)), daemon.proof);
    assert.equal(toHex(proofOf('agent', secret, transcript)), agent.proof);
  });
});

describe('test vectors: frames', () => {
  const { frames, skipped, refused } = load<{
    frames: { about: string; frame: Json; hex: string }[];
    skipped: { about: string; hex: string; reliableBytes: number }[];
    refused: { about: string; hex: string; code: string }[];
  }>('frames.json');

  for (const { about, frame, hex: bytes } of frames) {
    it(`${about} (${String(frame['type'])})`, () => {
      assert.equal(toHex(encodeFrame(frameOf(frame))), bytes);
      if (frame['type'] === 'TAIL') return;
      const sink = new Collector();
      new FrameDecoder().push(hex(bytes), sink);
      assert.deepEqual(sink.frames, [frameOf(frame)]);
    });
  }

  for (const { about, hex: bytes, reliableBytes } of skipped) {
    it(`skipped: ${about}`, () => {
      const sink = new Collector();
      new FrameDecoder().push(hex(bytes), sink);
      assert.deepEqual(sink.frames, []);
      assert.equal(sink.reliableBytes, reliableBytes);
    });
  }

  for (const { about, hex: bytes, code } of refused) {
    it(`refused: ${about}`, () => {
      assert.throws(() => new FrameDecoder().push(hex(bytes), new Collector()), { code });
    });
  }

  it('cover every frame', () => {
    const seen = new Set(frames.map(({ frame }) => frame['type']));
    assert.equal(seen.size, 17);
  });
});

describe('test vectors: an exchange over two pipes', () => {
  const vector = load<{
    secret: string;
    sessionId: string;
    steps: { pipe: number; from: 'daemon' | 'agent'; about: string; hex: string }[];
    decoded: Record<'daemon' | 'agent', Json[]>;
    received: { byAgent: number; byDaemon: number };
  }>('exchange.json');
  const secret = Buffer.from(vector.secret);
  const hello = (pipe: number, from: string): Uint8Array => {
    const step = vector.steps.find((one) => one.pipe === pipe && one.from === from);
    return hex(step?.hex ?? '');
  };
  const sentBy = (pipe: number, from: string): Uint8Array =>
    Buffer.concat(
      vector.steps.filter((one) => one.pipe === pipe && one.from === from).map((s) => hex(s.hex)),
    );

  for (const pipe of [1, 2]) {
    it(`pipe ${pipe}: both ends open it with these bytes`, () => {
      const [fromDaemon, fromAgent] = [sentBy(pipe, 'daemon'), sentBy(pipe, 'agent')];
      const daemonHello = hello(pipe, 'daemon');
      const agentHello = hello(pipe, 'agent');
      const attach = fromDaemon.subarray(daemonHello.length + 40, daemonHello.length + 40 + 33);
      const daemon = new DaemonHandshake({
        secret,
        nonce: daemonHello.subarray(12, 44),
        software: 'epmux/0.1.0',
        attach: () => attach,
      });
      const agent = new AgentHandshake({
        secret,
        nonce: agentHello.subarray(12, 44),
        software: 'epmux/0.1.0',
        bootId: agentHello.subarray(65, 81),
        hostName: 'dyno-ä',
      });
      assert.equal(toHex(daemon.start()), toHex(daemonHello));
      assert.equal(toHex(agent.start()), toHex(agentHello));
      const fromStep = daemon.receive(fromAgent);
      assert.equal(fromStep.state, 'done');
      const opening = Buffer.concat([daemon.start(), fromStep.send]);
      assert.equal(toHex(opening), toHex(fromDaemon.subarray(0, opening.length)));
      const answer = agent.receive(fromDaemon);
      assert.ok(answer.state === 'done');
      assert.equal(answer.result.attach.sessionId, vector.sessionId);
      const reply = Buffer.concat([agent.start(), answer.send]);
      assert.equal(toHex(reply), toHex(fromAgent.subarray(0, reply.length)));
    });
  }

  for (const from of ['daemon', 'agent'] as const) {
    it(`the ${from}'s frames arrive whole in spite of the cut`, () => {
      const sink = new Collector();
      let partial: PartialFrame | undefined;
      for (const pipe of [1, 2]) {
        const handshakeBytes = hello(pipe, from).length + 40 + (from === 'daemon' ? 33 : 0);
        const decoder = new FrameDecoder({ partial });
        decoder.push(sentBy(pipe, from).subarray(handshakeBytes), sink);
        partial = decoder.takePartial();
      }
      const ofPipe = ['ATTACHED', 'ACK', 'GOODBYE'];
      assert.deepEqual(
        sink.frames.filter(({ type }) => !ofPipe.includes(type)),
        vector.decoded[from].map(frameOf),
      );
      const { byAgent, byDaemon } = vector.received;
      assert.equal(sink.reliableBytes, from === 'daemon' ? byAgent : byDaemon);
    });
  }
});
