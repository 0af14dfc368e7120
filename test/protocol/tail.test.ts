import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { PartialFrame } from '../../src/protocol/decode.ts';
import { FrameDecoder } from '../../src/protocol/decode.ts';
import { encodeFrame } from '../../src/protocol/encode.ts';
import type { Frame } from '../../src/protocol/frames.ts';
import { chunkSizes, cutInto, pipeFrame, reliableFrame } from './arbitrary.ts';
import { Collector, hex, pushAll } from './collect.ts';

const PING = encodeFrame({ type: 'PING', token: 5n });

/** What a sender does on a new pipe: the rest of the divided frame as TAIL, then whole frames. */
function resumeFrom(sequence: Uint8Array, ends: readonly number[], position: number): Uint8Array {
  const end = ends.find((at) => at > position) ?? sequence.length;
  const inside = position > 0 && !ends.includes(position) && position < sequence.length;
  if (!inside) return sequence.subarray(position);
  const tail = encodeFrame({ type: 'TAIL', payload: sequence.subarray(position, end) });
  return Buffer.concat([tail, sequence.subarray(end)]);
}

/** Positions in the reliable sequence at which its frames end. */
function frameEnds(frames: readonly Frame[]): number[] {
  let at = 0;
  return frames.map((frame) => {
    at += encodeFrame(frame).length;
    return at;
  });
}

describe('a frame that a cut divided', () => {
  it('goes on with TAIL, whatever the offset of the cut', () => {
    const frames: Frame[] = [
      { type: 'OPEN', stream: 1, streamClass: 'bulk', target: 'node/my_app' },
      { type: 'DATA', stream: 1, payload: new Uint8Array(30).map((_, at) => at) },
      { type: 'FIN', stream: 1 },
      { type: 'RESET', stream: 3, code: 16, text: 'stalled' },
    ];
    const sequence = Buffer.concat(frames.map(encodeFrame));
    const ends = frameEnds(frames);
    for (let cut = 0; cut <= sequence.length; cut++) {
      for (const sizes of [[1], [1000]]) {
        const sink = new Collector();
        const first = new FrameDecoder();
        pushAll(first, sink, cutInto(sequence.subarray(0, cut), sizes));
        const partial = first.takePartial();
        assert.equal(partial === undefined, cut === 0 || ends.includes(cut), `cut at ${cut}`);
        const second = new FrameDecoder({ partial });
        const rest = Buffer.concat([PING, resumeFrom(sequence, ends, cut)]);
        pushAll(second, sink, cutInto(rest, sizes));
        assert.deepEqual(
          sink.frames.filter(({ type }) => type !== 'PING'),
          frames,
          `cut at ${cut}`,
        );
        assert.equal(sink.reliableBytes, sequence.length, `cut at ${cut}`);
      }
    }
  });

  it('goes on through any number of cuts, also of TAIL itself and of frames of the pipe', () => {
    fc.assert(
      fc.property(
        fc.array(reliableFrame, { minLength: 1, maxLength: 6 }),
        fc.array(fc.record({ length: fc.nat(120), before: fc.option(pipeFrame) }), {
          maxLength: 12,
        }),
        chunkSizes,
        (frames, cuts, sizes) => {
          const sequence = Buffer.concat(frames.map(encodeFrame));
          const ends = frameEnds(frames);
          const sink = new Collector();
          let partial: PartialFrame | undefined;
          for (const { length, before } of [...cuts, { length: Infinity, before: null }]) {
            const decoder = new FrameDecoder({ partial });
            const pipe = Buffer.concat([
              before === null ? new Uint8Array(0) : encodeFrame(before),
              resumeFrom(sequence, ends, sink.reliableBytes),
            ]);
            pushAll(decoder, sink, cutInto(pipe.subarray(0, length), sizes));
            partial = decoder.takePartial();
          }
          const reliable = new Set(['OPEN', 'ACCEPT', 'REJECT', 'DATA', 'CREDIT', 'FIN', 'RESET']);
          reliable.add('DIRECTORY');
          assert.deepEqual(
            sink.frames.filter(({ type }) => reliable.has(type)),
            frames,
          );
          assert.equal(sink.reliableBytes, sequence.length);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('may miss all but one byte of the largest frame', () => {
    const payload = new Uint8Array(65_536).fill(3);
    const frame = encodeFrame({ type: 'DATA', stream: 1, payload });
    const sink = new Collector();
    const first = new FrameDecoder();
    first.push(frame.subarray(0, 1), sink);
    const second = new FrameDecoder({ partial: first.takePartial() });
    second.push(encodeFrame({ type: 'TAIL', payload: frame.subarray(1) }), sink);
    assert.deepEqual(sink.frames, [{ type: 'DATA', stream: 1, payload }]);
  });

  it('is skipped to its end when it is optional and unknown', () => {
    const unknown = hex('c0 000004 00000000 01020304');
    const sink = new Collector();
    const first = new FrameDecoder();
    first.push(unknown.subarray(0, 9), sink);
    const second = new FrameDecoder({ partial: first.takePartial() });
    second.push(encodeFrame({ type: 'TAIL', payload: unknown.subarray(9) }), sink);
    second.push(encodeFrame({ type: 'FIN', stream: 1 }), sink);
    assert.deepEqual(sink.frames, [{ type: 'FIN', stream: 1 }]);
    assert.equal(sink.reliableBytes, 12 + 8);
  });

  it('does not include frames of the pipe', () => {
    const decoder = new FrameDecoder();
    decoder.push(PING.subarray(0, 12), new Collector());
    assert.equal(decoder.takePartial(), undefined);
  });

  it('accepts no TAIL of another length', () => {
    const data = encodeFrame({ type: 'DATA', stream: 1, payload: new Uint8Array(10) });
    for (let cut = 1; cut < data.length; cut++) {
      for (const wrong of [-1, 1]) {
        const length = data.length - cut + wrong;
        if (length === 0) continue;
        const first = new FrameDecoder();
        first.push(data.subarray(0, cut), new Collector());
        const second = new FrameDecoder({ partial: first.takePartial() });
        const payload = Buffer.concat([data.subarray(cut), new Uint8Array(1)]).subarray(0, length);
        const tail = encodeFrame({ type: 'TAIL', payload });
        assert.throws(() => second.push(tail, new Collector()), { code: 'PROTOCOL' });
      }
    }
  });

  it('accepts no other reliable frame before TAIL, not even its first byte', () => {
    const data = encodeFrame({ type: 'DATA', stream: 1, payload: new Uint8Array(10) });
    const first = new FrameDecoder();
    first.push(data.subarray(0, 12), new Collector());
    const second = new FrameDecoder({ partial: first.takePartial() });
    const sink = new Collector();
    assert.throws(() => second.push(data.subarray(0, 1), sink), { code: 'PROTOCOL' });
    assert.equal(sink.reliableBytes, 0);
  });

  it('accepts no TAIL where nothing is missing', () => {
    const tail = encodeFrame({ type: 'TAIL', payload: new Uint8Array(3) });
    assert.throws(() => new FrameDecoder().push(tail, new Collector()), { code: 'PROTOCOL' });
    const data = encodeFrame({ type: 'DATA', stream: 1, payload: new Uint8Array(10) });
    const first = new FrameDecoder();
    first.push(data.subarray(0, 15), new Collector());
    const second = new FrameDecoder({ partial: first.takePartial() });
    second.push(encodeFrame({ type: 'TAIL', payload: data.subarray(15) }), new Collector());
    assert.throws(() => second.push(tail, new Collector()), { code: 'PROTOCOL' });
  });
});
