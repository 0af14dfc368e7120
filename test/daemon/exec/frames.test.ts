import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  encodeFrames,
  encodeJson,
  FrameSplitter,
  FrameType,
} from '../../../src/daemon/exec/frames.ts';

describe('frames between a command and the daemon', () => {
  it('come out whole wherever the bytes are cut', () => {
    const frame = fc.tuple(
      fc.constantFrom(...Object.values(FrameType)),
      fc.uint8Array({ maxLength: 300 }),
    );
    fc.assert(
      fc.property(fc.array(frame), fc.integer({ min: 1, max: 400 }), (frames, step) => {
        const bytes = Buffer.concat(frames.flatMap(([type, data]) => encodeFrames(type, data)));
        const splitter = new FrameSplitter();
        const seen = [];
        for (let at = 0; at < bytes.length; at += step) {
          seen.push(...splitter.push(bytes.subarray(at, at + step)));
        }
        assert.deepEqual(
          seen.map(({ type, payload }) => [type, [...payload]]),
          frames.map(([type, data]) => [type, [...data]]),
        );
      }),
    );
  });

  it('are several when the data is long', () => {
    const bytes = Buffer.concat(encodeFrames(FrameType.stdin, Buffer.alloc(150_000, 7)));
    const lengths = [...new FrameSplitter().push(bytes)].map(({ payload }) => payload.length);
    assert.deepEqual(lengths, [65_536, 65_536, 18_928]);
  });

  it('of no known type or of any length are refused before they are waited for', () => {
    const long = Buffer.from([FrameType.stdout, 0, 1, 0, 1]);
    for (const bytes of [Buffer.from([99, 0, 0, 0, 0]), long]) {
      assert.throws(() => [...new FrameSplitter().push(bytes)], { code: 'CONTROL_PROTOCOL' });
    }
    assert.equal(
      [...new FrameSplitter().push(Buffer.concat(encodeJson(FrameType.exit, {})))].length,
      1,
    );
  });
});
