import { readFileSync } from 'node:fs';
import { NONCE_BYTES } from '../../../src/protocol/constants.ts';
import { FrameDecoder, type FrameSink } from '../../../src/protocol/decode.ts';
import { encodeDirectory, parseDirectory } from '../../../src/protocol/directory.ts';
import { encodeFrame } from '../../../src/protocol/encode.ts';
import type { WholeFrame } from '../../../src/protocol/frames.ts';
import {
  AgentHandshake,
  DaemonHandshake,
  type HandshakeStep,
} from '../../../src/protocol/handshake.ts';
import {
  agreeOnMinor,
  encodeHello,
  readAttributes,
  readHello,
} from '../../../src/protocol/hello.ts';
import { endless, hex, hold, type Target, type Told, whole } from '../target.ts';

const VECTORS = new URL('../../vectors/', import.meta.url);

interface Step {
  readonly pipe: number;
  readonly from: 'daemon' | 'agent';
  readonly about: string;
  readonly hex: string;
}

function vectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(name, VECTORS), 'utf8')) as T;
}

const FRAMES = vectors<Record<'frames' | 'skipped' | 'refused', { hex: string }[]>>('frames.json');
const { steps } = vectors<{ steps: Step[] }>('exchange.json');
const { secret, daemon, agent } = vectors<{
  secret: { hex: string };
  daemon: { nonce: string; software: string };
  agent: { nonce: string; software: string; bootId: string; hostName: string };
}>('handshake.json');

/** All that one end said on a pipe, from the given step on. */
function said(from: Step['from'], pipe: number, first = 0): Uint8Array {
  const own = steps.filter((step) => step.from === from && step.pipe === pipe);
  return hex(
    own
      .slice(first)
      .map((step) => step.hex)
      .join(''),
  );
}

const frameSeeds = Object.values(FRAMES).flatMap((list) => list.map((entry) => hex(entry.hex)));

function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_key, field: unknown) =>
      typeof field === 'bigint'
        ? String(field)
        : field instanceof Uint8Array
          ? Buffer.from(field).toString('hex')
          : field,
    ),
  );
}

/** What was understood can be said again, and is understood alike. */
function repeats(frame: WholeFrame): void {
  const bytes = encodeFrame(frame);
  let again: WholeFrame | undefined;
  new FrameDecoder().push(bytes, {
    frame: (decoded) => {
      again = decoded;
    },
    data() {},
    reliable() {},
  });
  hold(again !== undefined, `${frame.type} is not decoded from what it is encoded to`);
  hold(Buffer.compare(encodeFrame(again), bytes) === 0, `${frame.type} changes when repeated`);
}

function sinkOf(told: Told): FrameSink & { reliableBytes: number } {
  return {
    reliableBytes: 0,
    frame(frame) {
      repeats(frame);
      told.fact(plain(frame));
    },
    data: (stream, slice, endOfFrame) => {
      hold(slice.length > 0, 'a slice of DATA is empty');
      told.bytes(`data ${stream}`, slice);
      if (endOfFrame) told.fact('end of DATA');
    },
    reliable(bytes) {
      this.reliableBytes += bytes;
    },
  };
}

const frames: Target = {
  name: 'frames',
  errors: ['PROTOCOL', 'UNSUPPORTED'],
  framing: 'frames',
  seeds: [...frameSeeds, Buffer.concat(frameSeeds.slice(0, 12)), said('daemon', 1, 2)],
  open: (told) => {
    const decoder = new FrameDecoder();
    const sink = sinkOf(told);
    let bytes = 0;
    return {
      push: (chunk) => {
        decoder.push(chunk, sink);
        bytes += chunk.length;
        hold(sink.reliableBytes <= bytes, 'more reliable bytes than there were bytes');
      },
      end: () => told.fact({ reliable: sink.reliableBytes }),
    };
  },
  flood: {
    chunks: () => endless(hex('c8010000' + '00000000'), new Uint8Array(1)),
    mayHoldBytes: 65_536,
  },
};

/** The first byte says after how many of the others the pipe is cut. */
const tail: Target = {
  name: 'tail',
  errors: ['PROTOCOL', 'UNSUPPORTED'],
  whole: true,
  seeds: [
    ...[1, 5, 8, 9, 12].map((cut) => tailSeed(cut)),
    Buffer.concat([Uint8Array.of(20), said('agent', 1, 2), said('agent', 2, 2)]),
  ],
  open: whole((input, told) => {
    const cut = 1 + (input[0] ?? 0);
    const sink = sinkOf(told);
    const first = new FrameDecoder();
    first.push(input.subarray(1, cut), sink);
    new FrameDecoder({ partial: first.takePartial() }).push(input.subarray(cut), sink);
    told.fact({ reliable: sink.reliableBytes });
  }),
};

function tailSeed(cut: number): Uint8Array {
  const frame = hex('4400000400000001aabbccdd');
  const rest = frame.subarray(cut);
  const header = Uint8Array.of(9, 0, 0, rest.length, 0, 0, 0, 0);
  return Buffer.concat([Uint8Array.of(cut), frame.subarray(0, cut), header, rest]);
}

/** Bytes for one end of a handshake whose own hello is that of the vectors, so that a proof among them can hold. */
function handshakeTarget(
  name: string,
  begin: () => { receive(chunk: Uint8Array): HandshakeStep<{ readonly rest: Uint8Array }> },
  seeds: readonly Uint8Array[],
): Target {
  return {
    name,
    errors: [],
    framing: 'frames',
    seeds,
    open: (told) => {
      const handshake = begin();
      let over = false;
      return {
        push: (chunk) => {
          if (over) return told.bytes('rest', chunk);
          if (chunk.length === 0) return;
          const step = handshake.receive(chunk);
          told.bytes('send', step.send);
          over = step.state !== 'waiting';
          if (step.state === 'failed') told.fact({ failed: step.error.code });
          if (step.state !== 'done') return;
          const { rest, ...result } = step.result;
          told.fact(plain(result));
          told.bytes('rest', rest);
        },
      };
    },
    flood: {
      chunks: () => endless(hex('45504d55580d0a1a'), new Uint8Array(1)),
      mayHoldBytes: 4_096,
    },
  };
}

/** What follows a failure is not looked at, so it can't be compared. */
function endsAtFailure(target: Target): Target {
  const open: Target['open'] = (told) => {
    let failed = false;
    const decoder = target.open({
      fact: (fact) => {
        failed ||= typeof fact === 'object' && fact !== null && 'failed' in fact;
        told.fact(fact);
      },
      bytes: (name, piece) => {
        if (!failed) told.bytes(name, piece);
      },
    });
    return decoder;
  };
  return { ...target, open };
}

const asAgent = endsAtFailure(
  handshakeTarget(
    'handshake-of-agent',
    () =>
      new AgentHandshake({
        secret: hex(secret.hex),
        nonce: hex(agent.nonce),
        software: agent.software,
        bootId: hex(agent.bootId),
        hostName: agent.hostName,
      }),
    [said('daemon', 1), said('agent', 1)],
  ),
);

const asDaemon = endsAtFailure(
  handshakeTarget(
    'handshake-of-daemon',
    () =>
      new DaemonHandshake({
        secret: hex(secret.hex),
        nonce: hex(daemon.nonce),
        software: daemon.software,
        attach: () => hex(`030000190000000000${'00'.repeat(24)}`),
      }),
    [said('agent', 1), said('daemon', 1), Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ),
);

/** Attributes are behind a proof, which no mutation gets past: here they come alone. */
const attributes: Target = {
  name: 'attributes',
  errors: ['PROTOCOL', 'UNSUPPORTED', 'VERSION_MISMATCH'],
  whole: true,
  seeds: [
    hex('0001000b65706d75782f302e312e30'),
    hex(`00020010${'11'.repeat(16)}`),
    hex(`00020010${'11'.repeat(16)}00030002c3a4`),
    hex('80010000'),
  ],
  open: whole((input, told) => {
    for (const role of ['daemon', 'agent'] as const) {
      const fixed = encodeHello(role, new Uint8Array(NONCE_BYTES), { software: '' });
      const head = fixed.subarray(0, fixed.length - 6);
      const length = Uint8Array.of(input.length >>> 8, input.length);
      const hello = readHello(Buffer.concat([head, length, input]), role);
      hold(hello !== undefined, 'a whole hello is not taken');
      const peer = readAttributes(hello, role, agreeOnMinor(hello));
      hold(!/\p{Cc}/u.test(peer.software + peer.hostName), 'a control character in a name');
      told.fact(peer);
    }
  }),
};

const directory: Target = {
  name: 'directory',
  errors: ['PROTOCOL'],
  whole: true,
  seeds: FRAMES.frames
    .map(({ hex: text }) => hex(text))
    .filter((bytes) => bytes[0] === 0xc8)
    .map((bytes) => bytes.subarray(8)),
  open: whole((input, told) => {
    const parsed = parseDirectory(input);
    const bytes = encodeDirectory(parsed);
    hold(bytes.length <= input.length, 'a directory grows when repeated');
    hold(
      Buffer.compare(encodeDirectory(parseDirectory(bytes)), bytes) === 0,
      'a directory changes when repeated',
    );
    told.fact(parsed);
  }),
};

export const PROTOCOL_TARGETS: readonly Target[] = [
  frames,
  tail,
  asAgent,
  asDaemon,
  attributes,
  directory,
];
