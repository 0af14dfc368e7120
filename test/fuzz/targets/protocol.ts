import { FrameType, MAX_PAYLOAD_BYTES, RELIABLE_BIT } from '../../../src/protocol/constants.ts';
import { FrameDecoder, type FrameSink } from '../../../src/protocol/decode.ts';
import { encodeDirectory, parseDirectory } from '../../../src/protocol/directory.ts';
import { encodeFrame } from '../../../src/protocol/encode.ts';
import type { WholeFrame } from '../../../src/protocol/frames.ts';
import { endless, hex, hold, type Target, type Told, whole } from '../target.ts';
import { FRAMES, plain, said } from './vectors.ts';

/** Of a flood only the beginning is looked at twice. */
const MAX_LOOKED_AT = 8_192;

const frameSeeds = Object.values(FRAMES).flatMap((list) => list.map((entry) => hex(entry.hex)));

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
    const taken: Uint8Array[] = [];
    let bytes = 0;
    return {
      push: (chunk) => {
        decoder.push(chunk, sink);
        bytes += chunk.length;
        hold(sink.reliableBytes <= bytes, 'more reliable bytes than there were bytes');
        if (bytes > MAX_LOOKED_AT) return;
        taken.push(chunk);
        const all = Buffer.concat(taken);
        const length = lengthAt(all, lastFrameAt(all)) ?? 0;
        hold(length <= MAX_PAYLOAD_BYTES, 'a frame over the cap is waited for');
      },
      end: () => told.fact({ reliable: sink.reliableBytes }),
    };
  },
  flood: {
    chunks: () => endless(hex('c8010000' + '00000000'), new Uint8Array(1)),
    mayHoldBytes: 65_536,
  },
};

/**
 * Where the frame begins that the bytes end in: written from the page, and apart from the decoder.
 */
function lastFrameAt(bytes: Buffer): number {
  for (let at = 0; ; ) {
    const end = at + 8 + (lengthAt(bytes, at) ?? bytes.length);
    if (end > bytes.length) return at;
    at = end;
  }
}

function lengthAt(bytes: Buffer, at: number): number | undefined {
  return bytes.length < at + 8 ? undefined : bytes.readUIntBE(at + 1, 3);
}

/**
 * Reliable bytes that a cut behind `before` left missing, as the bytes behind the TAIL's header
 * tell; undefined: none, or too few of them.
 */
function missingBytes(before: Buffer, behind: Buffer): number | undefined {
  const at = lastFrameAt(before);
  const isDivided = at < before.length && ((before[at] ?? 0) & RELIABLE_BIT) !== 0;
  const length = lengthAt(Buffer.concat([before, behind.subarray(8)]), at);
  if (!isDivided || length === undefined) return undefined;
  return at + 8 + length - before.length;
}

/** The first byte says after how many of the others the pipe is cut. */
const tail: Target = {
  name: 'tail',
  errors: ['PROTOCOL', 'UNSUPPORTED'],
  whole: true,
  seeds: [
    ...[1, 5, 8, 9, 12].map((cut) => tailSeed(cut)),
    tailSeed(8).subarray(0, 10),
    tailSeed(9, 1),
    tailSeed(3, -1),
    tailSeed(3, 1),
    Buffer.concat([Uint8Array.of(20), said('agent', 1, 2), said('agent', 2, 2)]),
  ],
  open: whole((input, told) => {
    const cut = 1 + (input[0] ?? 0);
    const sink = sinkOf(told);
    const before = Buffer.from(input.subarray(1, cut));
    const behind = Buffer.from(input.subarray(cut));
    const first = new FrameDecoder();
    first.push(before, sink);
    new FrameDecoder({ partial: first.takePartial() }).push(behind, sink);
    const missing = missingBytes(before, behind);
    const length = lengthAt(behind, 0);
    if (missing !== undefined && length !== undefined && behind[0] === FrameType.TAIL) {
      hold(length === missing, 'a TAIL of another length than what is missing');
    }
    told.fact({ reliable: sink.reliableBytes });
  }),
};

function tailSeed(cut: number, lie = 0): Uint8Array {
  const frame = hex('4400000400000001aabbccdd');
  const rest = frame.subarray(cut);
  const header = Uint8Array.of(9, 0, 0, rest.length + lie, 0, 0, 0, 0);
  return Buffer.concat([Uint8Array.of(cut), frame.subarray(0, cut), header, rest]);
}

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

export const PROTOCOL_TARGETS: readonly Target[] = [frames, tail, directory];
