import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ByteQueue } from '../../src/runtime/byte-queue.ts';

function taken(queue: ByteQueue): Buffer[] {
  const pieces: Buffer[] = [];
  for (let piece = queue.shift(); piece !== undefined; piece = queue.shift()) {
    pieces.push(Buffer.from(piece));
  }
  return pieces;
}

describe('bytes that wait', () => {
  it('come out as they went in, whatever their pieces and whenever some are taken', () => {
    const piece = fc.tuple(fc.constantFrom(0, 1, 7, 2_047, 2_048, 20_000), fc.nat(255));
    fc.assert(
      fc.property(fc.array(fc.tuple(piece, fc.boolean()), { maxLength: 40 }), (steps) => {
        const queue = new ByteQueue();
        const given: Buffer[] = [];
        const got: Buffer[] = [];
        for (const [[length, value], takesOne] of steps) {
          const bytes = Buffer.alloc(length, value);
          given.push(bytes);
          queue.push(Uint8Array.from(bytes));
          const one = takesOne ? queue.shift() : undefined;
          if (one !== undefined) got.push(Buffer.from(one));
        }
        got.push(...taken(queue));
        assert.equal(queue.shift(), undefined);
        assert.ok(got.every(({ length }) => length > 0));
        assert.deepEqual(Buffer.concat(got), Buffer.concat(given));
      }),
    );
  });

  it('are few pieces, however many small ones they came in', () => {
    const queue = new ByteQueue();
    for (let count = 0; count < 65_536; count += 1) queue.push(Uint8Array.of(count));
    assert.equal(taken(queue).length, 4);
  });

  it('keep no chunk of which they are a small part', () => {
    const queue = new ByteQueue();
    const chunk = new Uint8Array(65_536);
    queue.push(chunk.subarray(0, 4_096));
    queue.push(chunk.subarray(4_096, 60_000));
    const [part, most] = [queue.shift(), queue.shift()];
    assert.deepEqual([part?.length, most?.length], [4_096, 55_904]);
    assert.notEqual(part?.buffer, chunk.buffer);
    assert.equal(most?.buffer, chunk.buffer);
  });

  it('are gone when they are not wanted any more', () => {
    const queue = new ByteQueue();
    for (const length of [1, 5_000, 1]) queue.push(new Uint8Array(length));
    queue.clear();
    assert.equal(queue.shift(), undefined);
  });
});
