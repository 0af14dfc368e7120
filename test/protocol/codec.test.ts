import assert from 'node:assert/strict';
import fc from 'fast-check';
import { FrameDecoder } from '../../src/protocol/decode.ts';
import { encodeFrame, tailHeader } from '../../src/protocol/encode.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import type { Frame } from '../../src/protocol/frames.ts';
import { dataHeader } from '../support/data-header.ts';
import { anyFrame, chunkSizes, cutInto } from './arbitrary.ts';
import { Collector, hex, pushAll } from './collect.ts';
import { naiveEncode, naiveReliableCount, naiveSplit } from './naive.ts';

function decode(bytes: Uint8Array): Collector {
  const sink = new Collector();
  new FrameDecoder().push(bytes, sink);
  return sink;
}

function failsWith(code: string, run: () => unknown, message?: RegExp): void {
  assert.throws(run, (error: unknown) => {
    assert.ok(error instanceof EpmuxError, String(error));
    assert.equal(error.code, code);
    if (message !== undefined) assert.match(error.message, message);
    return true;
  });
}

describe('frame codec', () => {
  it('encodes every frame as its naive twin does', () => {
    fc.assert(
      fc.property(anyFrame, (frame) => {
        assert.deepEqual(encodeFrame(frame), naiveEncode(frame));
      }),
      { numRuns: 500 },
    );
  });

  it('decodes what it encoded, in pieces of any size', () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 12 }), chunkSizes, (frames, sizes) => {
        const bytes = Buffer.concat(frames.map(encodeFrame));
        const sink = new Collector();
        pushAll(new FrameDecoder(), sink, cutInto(bytes, sizes));
        assert.deepEqual(sink.frames, frames);
      }),
      { numRuns: 300 },
    );
  });

  it('counts reliable bytes as they arrive, at each byte as its naive twin does', () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 5 }), (frames) => {
        const bytes = Buffer.concat(frames.map(encodeFrame));
        const sink = new Collector();
        const decoder = new FrameDecoder();
        for (let at = 0; at < bytes.length; at++) {
          decoder.push(bytes.subarray(at, at + 1), sink);
          if (at % 7 === 0) {
            assert.equal(sink.reliableBytes, naiveReliableCount(bytes, at + 1));
          }
        }
        assert.equal(sink.reliableBytes, naiveReliableCount(bytes, bytes.length));
      }),
      { numRuns: 100 },
    );
  });

  it('has counted the bytes of a frame when it hands the frame out', () => {
    const counted: number[] = [];
    const sink = new Collector();
    const fin = encodeFrame({ type: 'FIN', stream: 1 });
    new FrameDecoder().push(Buffer.concat([fin, fin]), {
      frame: () => counted.push(sink.reliableBytes),
      data: () => {},
      reliable: (bytes) => sink.reliable(bytes),
    });
    assert.deepEqual(counted, [8, 16]);
  });

  it('hands DATA out as slices of the chunk, without copying', () => {
    const frame = encodeFrame({ type: 'DATA', stream: 9, payload: new Uint8Array(1000).fill(7) });
    const slices: { slice: Uint8Array; end: boolean }[] = [];
    const decoder = new FrameDecoder();
    const chunks = [frame.subarray(0, 500), frame.subarray(500)];
    pushAll(
      decoder,
      {
        frame: () => assert.fail('DATA is no whole frame'),
        data: (_stream, slice, end) => slices.push({ slice, end }),
        reliable: () => {},
      },
      chunks,
    );
    assert.deepEqual(
      slices.map(({ slice, end }) => [slice.length, end]),
      [
        [492, false],
        [508, true],
      ],
    );
    assert.ok(slices.every(({ slice }) => slice.buffer === frame.buffer));
  });

  it('writes the headers of the hot path like whole frames', () => {
    const payload = new Uint8Array(65_536);
    const data = encodeFrame({ type: 'DATA', stream: 0xfedc_ba98, payload });
    assert.deepEqual(dataHeader(0xfedc_ba98, payload.length), data.slice(0, 8));
    const tail = encodeFrame({ type: 'TAIL', payload: new Uint8Array(65_543) });
    assert.deepEqual(tailHeader(65_543), tail.slice(0, 8));
  });

  it('refuses a length over the cap at the header, before a byte of the payload', () => {
    failsWith('PROTOCOL', () => decode(hex('44 010001 00000001')), /65537 bytes/);
    failsWith('PROTOCOL', () => decode(hex('c0 010001 00000000')), /65537 bytes/);
    failsWith('PROTOCOL', () => decode(hex('c8 ffffff 00000000')));
    failsWith('PROTOCOL', () => decode(hex('41 000202 00000001')));
    assert.equal(decode(hex('44 010000 00000001')).frames.length, 0);
  });

  it('refuses each frame whose payload is a byte too short or too long', () => {
    const fixed: Frame[] = [
      { type: 'PROOF', proof: new Uint8Array(32) },
      { type: 'ATTACH', kind: 'new', sessionId: '00'.repeat(16), received: 0 },
      { type: 'ATTACHED', kind: 'new', received: 0 },
      { type: 'ACK', received: 0 },
      { type: 'PING', token: 0n },
      { type: 'PONG', token: 0n },
      { type: 'ACCEPT', stream: 1 },
      { type: 'CREDIT', stream: 1, limit: 0 },
      { type: 'FIN', stream: 1 },
    ];
    for (const frame of fixed) {
      const header = Buffer.from(encodeFrame(frame).subarray(0, 8));
      const length = header.readUIntBE(1, 3);
      for (const wrong of [length - 1, length + 1].filter((bytes) => bytes >= 0)) {
        header.writeUIntBE(wrong, 1, 3);
        failsWith('PROTOCOL', () => decode(header), new RegExp(frame.type));
      }
    }
    failsWith('PROTOCOL', () => decode(hex('44 000000 00000001')), /DATA/);
    failsWith('PROTOCOL', () => decode(hex('41 000001 00000001')), /OPEN/);
    failsWith('PROTOCOL', () => decode(hex('02 000001 00000000')), /REFUSE/);
  });

  it('refuses a stream id where none belongs, and none where one does', () => {
    fc.assert(
      fc.property(anyFrame, fc.integer({ min: 1, max: 0xffff_ffff }), (frame, stream) => {
        const bytes = Buffer.from(encodeFrame(frame));
        bytes.writeUInt32BE('stream' in frame ? 0 : stream, 4);
        failsWith('PROTOCOL', () => decode(bytes), /on stream/);
      }),
    );
  });

  it('refuses values that the page does not list', () => {
    failsWith('PROTOCOL', () => decode(hex(`03 000019 00000000 02 ${'00'.repeat(24)}`)), /kind 2/);
    failsWith('PROTOCOL', () => decode(hex('04 000009 00000000 07 0000000000000000')), /kind 7/);
    failsWith('PROTOCOL', () => decode(hex('41 000002 00000001 02 41')), /class 2/);
    failsWith('PROTOCOL', () => decode(hex('05 000008 00000000 0020000000000000')), /2\^53/);
    assert.deepEqual(decode(hex('05 000008 00000000 001fffffffffffff')).frames, [
      { type: 'ACK', received: Number.MAX_SAFE_INTEGER },
    ]);
  });

  it('refuses ill-formed UTF-8 in a target and replaces it in a text for a person', () => {
    failsWith('PROTOCOL', () => decode(hex('41 000003 00000001 00 c3 28')), /UTF-8/);
    assert.deepEqual(decode(hex('47 000004 00000001 0010 c3 28')).frames, [
      { type: 'RESET', stream: 1, code: 16, text: '\ufffd(' },
    ]);
  });

  it('skips unknown optional frames, reliable or not, and goes on behind them', () => {
    const unknown = hex('c0 000003 00000007 aabbcc  80 000002 00000000 ddee');
    const fin = encodeFrame({ type: 'FIN', stream: 3 });
    for (const sizes of [[1], [100], [9, 3]]) {
      const sink = new Collector();
      pushAll(new FrameDecoder(), sink, cutInto(Buffer.concat([unknown, fin]), sizes));
      assert.deepEqual(sink.frames, [{ type: 'FIN', stream: 3 }]);
      assert.equal(sink.reliableBytes, 11 + 8);
    }
  });

  it('refuses unknown required frames as unsupported', () => {
    failsWith('UNSUPPORTED', () => decode(hex('7f 000000 00000000')), /0x7f/);
    failsWith('UNSUPPORTED', () => decode(hex('0a 000000 00000000')), /0x0a/);
  });

  it('never fails but with an EpmuxError, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), chunkSizes, (bytes, sizes) => {
        try {
          pushAll(new FrameDecoder(), new Collector(), cutInto(bytes, sizes));
        } catch (error) {
          assert.ok(error instanceof EpmuxError, String(error));
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('cuts a text for a person between characters, and refuses to send what the page does not allow', () => {
    const reset = encodeFrame({ type: 'RESET', stream: 1, code: 1, text: 'é'.repeat(300) });
    const [frame] = naiveSplit(reset);
    assert.equal(Buffer.from(frame?.payload.subarray(2) ?? []).toString(), 'é'.repeat(256));
    const odd = encodeFrame({ type: 'RESET', stream: 1, code: 1, text: `a${'é'.repeat(300)}` });
    assert.equal(odd.length, 8 + 2 + 511);
    failsWith('INTERNAL', () =>
      encodeFrame({ type: 'OPEN', stream: 1, streamClass: 'bulk', target: 'x'.repeat(513) }),
    );
    failsWith('INTERNAL', () => encodeFrame({ type: 'ACK', received: 2 ** 53 }));
    failsWith('INTERNAL', () => encodeFrame({ type: 'ACK', received: -1 }));
    failsWith('INTERNAL', () =>
      encodeFrame({ type: 'ATTACH', kind: 'new', sessionId: 'xyz', received: 0 }),
    );
  });
});
