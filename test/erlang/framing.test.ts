import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  HandshakeFrames,
  MAX_HANDSHAKE_FRAME_BYTES,
  MessageRuns,
} from '../../src/erlang/framing.ts';
import { chunked, chunkings } from '../support/chunks.ts';

const HELD = 40;

function message(body: Uint8Array): Uint8Array {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(body.length);
  return Buffer.concat([header, body]);
}

/** Bodies; empty ones are ticks. */
const bodies = fc.array(
  fc.oneof(fc.uint8Array({ maxLength: 90 }), fc.constant(new Uint8Array(0))),
  {
    maxLength: 12,
  },
);

describe('the messages of a distribution connection', () => {
  it('pass in order and without ticks, whatever the chunks', () => {
    fc.assert(
      fc.property(bodies, chunkings, (all, chunking) => {
        const naive = Buffer.concat(all.filter((body) => body.length > 0).map(message));
        for (const cap of [0, HELD, 1_000]) {
          const runs = new MessageRuns(cap);
          const out = chunked(Buffer.concat(all.map(message)), chunking).flatMap((chunk) =>
            runs.push(chunk),
          );
          assert.deepEqual(Buffer.concat(out), naive);
          assert.ok(out.every((part) => part.length > 0));
          assert.ok(runs.atBoundary);
          assert.equal(runs.rest().length, 0);
        }
      }),
    );
  });

  it('up to the cap are handed over whole, so that what was given ends at a boundary', () => {
    fc.assert(
      fc.property(bodies, chunkings, (all, chunking) => {
        const boundaries = new Set([0]);
        let end = 0;
        for (const body of all.filter(({ length }) => length > 0)) {
          end += 4 + body.length;
          boundaries.add(end);
        }
        const runs = new MessageRuns(HELD);
        let given = 0;
        for (const chunk of chunked(Buffer.concat(all.map(message)), chunking)) {
          for (const part of runs.push(chunk)) given += part.length;
          assert.equal(runs.atBoundary, boundaries.has(given));
          const inLong = [...boundaries].every((at) => at !== given);
          if (inLong) assert.ok(all.some((body) => body.length > HELD));
        }
      }),
    );
  });

  it('above the cap stream through at once', () => {
    const runs = new MessageRuns(HELD);
    const whole = message(Buffer.alloc(HELD + 1, 7));
    assert.deepEqual(Buffer.concat(runs.push(whole.subarray(0, 9))), whole.subarray(0, 9));
    assert.equal(runs.atBoundary, false);
    assert.deepEqual(Buffer.concat(runs.push(whole.subarray(9))), whole.subarray(9));
    assert.equal(runs.atBoundary, true);
  });

  it('of a length that only an attacker sends take no memory', () => {
    const runs = new MessageRuns(HELD);
    const head = Uint8Array.of(255, 255, 255, 255, 1);
    assert.equal(Buffer.concat(runs.push(head)).length, 5);
    assert.equal(runs.rest().length, 0);
  });

  it('give back what they hold when the direction ends in the middle', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: HELD }), fc.nat(), (body, cut) => {
        const whole = message(body);
        const part = whole.subarray(0, 1 + (cut % (whole.length - 1)));
        const runs = new MessageRuns(HELD);
        assert.deepEqual(runs.push(part), []);
        assert.deepEqual(Buffer.from(runs.rest()), Buffer.from(part));
        assert.equal(runs.rest().length, 0);
      }),
    );
  });
});

describe('the frames of a handshake', () => {
  it('come out as they went in, whatever the chunks', () => {
    const frames = fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 6 });
    fc.assert(
      fc.property(frames, chunkings, (all, chunking) => {
        const bytes = Buffer.concat(
          all.map((frame) => Buffer.concat([Buffer.from([0, frame.length]), frame])),
        );
        const collector = new HandshakeFrames();
        const out: Uint8Array[] = [];
        for (const chunk of chunked(bytes, chunking)) {
          collector.push(chunk);
          for (let frame = collector.next(); frame !== undefined; frame = collector.next()) {
            assert.ok(typeof frame !== 'string');
            out.push(Uint8Array.from(frame));
          }
        }
        assert.deepEqual(out, all);
        assert.equal(collector.rest().length, 0);
      }),
    );
  });

  it('are found to be none by the first bytes of a TLS record, wherever the pieces end', () => {
    for (const sizes of [[1], [2], [3]]) {
      for (const record of [Uint8Array.of(0x16, 3, 1), Uint8Array.of(0x15, 3, 3)]) {
        const collector = new HandshakeFrames();
        const said = chunked(record, sizes).map((chunk) => {
          collector.push(chunk);
          return collector.next();
        });
        assert.equal(said.pop(), 'tls');
        assert.ok(said.every((word) => word === undefined));
        assert.deepEqual(Uint8Array.from(collector.rest()), record);
      }
    }
    assert.ok(MAX_HANDSHAKE_FRAME_BYTES <= 0x1500);
  });

  it('are no TLS where a name begins, whatever its length', () => {
    for (const [bytes, word] of [
      [[0x16, 3, 0x4e], 'overlong name'],
      [[0x15, 0, 0x6e], 'overlong name'],
      [[0x17, 3, 0x4e], 'overlong name'],
      [[0x17, 3, 3], 'overlong'],
    ] as const) {
      const collector = new HandshakeFrames();
      collector.push(Uint8Array.from(bytes));
      assert.equal(collector.next(), word);
    }
  });
});
