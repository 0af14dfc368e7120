import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Fifo } from '../../src/session/fifo.ts';
import { FrameMemory, pushPiece } from '../../src/session/frame-memory.ts';
import { SendBuffer } from '../../src/session/send-buffer.ts';

describe('a fifo', () => {
  it('behaves as an array does', () => {
    const actions = fc.array(fc.oneof(fc.nat(1_000), fc.constantFrom('shift', 'first', 'last')), {
      size: 'max',
      maxLength: 400,
    });
    fc.assert(
      fc.property(actions, (list) => {
        const fifo = new Fifo<number>();
        const twin: number[] = [];
        for (const action of list) {
          if (typeof action === 'number') {
            fifo.push(action);
            twin.push(action);
          } else if (action === 'shift') assert.equal(fifo.shift(), twin.shift());
          else if (action === 'first') assert.equal(fifo.first(), twin[0]);
          else assert.equal(fifo.last(), twin.at(-1));
          assert.equal(fifo.length, twin.length);
          assert.equal(fifo.at(3), twin[3]);
        }
      }),
    );
  });

  it('keeps nothing that was shifted for long', () => {
    const fifo = new Fifo<number>();
    for (let n = 0; n < 100_000; n++) {
      fifo.push(n);
      assert.equal(fifo.shift(), n);
    }
    assert.equal(fifo.length, 0);
    assert.equal(fifo.at(0), undefined);
  });
});

describe('a send buffer', () => {
  it('gives back what was pushed, in pieces of any size', () => {
    const chunk = fc.uint8Array({ minLength: 0, maxLength: 5_000, size: 'max' });
    const turn = fc.record({ pushes: fc.array(chunk, { maxLength: 4 }), take: fc.nat(9_000) });
    fc.assert(
      fc.property(fc.array(turn, { maxLength: 12 }), (turns) => {
        const buffer = new SendBuffer(new FrameMemory());
        let twin = Buffer.alloc(0);
        for (const { pushes, take } of turns) {
          for (const push of pushes) buffer.push(push);
          twin = Buffer.concat([twin, ...pushes]);
          assert.equal(buffer.bytes, twin.length);
          const length = Math.min(take, twin.length);
          const target = new Uint8Array(length + 3);
          buffer.moveInto(target, 3, length);
          assert.equal(Buffer.compare(target.subarray(3), twin.subarray(0, length)), 0);
          twin = twin.subarray(length);
        }
      }),
    );
  });

  it('does not hold on to the buffer that a small chunk was read into', () => {
    const read = Buffer.alloc(65_536, 1);
    const buffer = new SendBuffer(new FrameMemory());
    buffer.push(read.subarray(0, 10));
    read.fill(2);
    const target = new Uint8Array(10);
    buffer.moveInto(target, 0, 10);
    assert.deepEqual(target, new Uint8Array(10).fill(1));
  });

  it('refuses to give more than it has, and is empty once cleared', () => {
    const buffer = new SendBuffer(new FrameMemory());
    buffer.push(new Uint8Array(10));
    assert.throws(() => buffer.moveInto(new Uint8Array(20), 0, 11), RangeError);
    buffer.clear();
    assert.equal(buffer.bytes, 0);
  });

  it('takes little more memory than it counts, whatever the sizes that are written', () => {
    class Counting extends FrameMemory {
      bytes = 0;

      override takeBlock(length: number): Uint8Array {
        const block = super.takeBlock(length);
        this.bytes += block.length;
        return block;
      }

      override takeGathering(): Uint8Array {
        const block = super.takeGathering();
        this.bytes += block.length;
        return block;
      }
    }
    for (const sizes of [
      [8_192],
      [4, 8_192],
      [4, 32_000],
      [4_000, 9_000],
      [65_528],
      [100, 65_528],
    ]) {
      const memory = new Counting();
      const buffer = new SendBuffer(memory);
      for (let at = 0; buffer.bytes < 2_000_000; at += 1) {
        buffer.push(new Uint8Array(sizes[at % sizes.length] ?? 0));
      }
      assert.ok(memory.bytes < 2.1 * buffer.bytes, `${sizes}: ${memory.bytes / buffer.bytes}`);
    }
  });
});

describe('the send buffers of many streams', () => {
  const small = new Uint8Array(10).fill(7);

  it('keep no memory while nothing waits in them', () => {
    const memory = new FrameMemory();
    let taken = 0;
    const counting = Object.assign(memory, {
      takeGathering: () => {
        taken += 1;
        return FrameMemory.prototype.takeGathering.call(memory);
      },
      giveBackGathering: (block: Uint8Array) => {
        taken -= 1;
        FrameMemory.prototype.giveBackGathering.call(memory, block);
      },
    });
    const [moved, framed, cleared] = [1, 2, 3].map(() => new SendBuffer(counting));
    for (const buffer of [moved, framed, cleared]) buffer?.push(small);
    assert.equal(taken, 3);
    moved?.moveInto(new Uint8Array(10), 0, 10);
    framed?.push(new Uint8Array(60_000));
    framed?.moveInto(new Uint8Array(10), 0, 10);
    assert.notEqual(framed?.takeFrame(65_000), undefined);
    cleared?.clear();
    assert.equal(taken, 0);
  });

  it('share the blocks that small writes are gathered in, one after the other', () => {
    const memory = new FrameMemory();
    const [first, second, third] = [1, 2, 3].map(() => new SendBuffer(memory));
    const block = memory.takeGathering();
    memory.giveBackGathering(block);
    const target = new Uint8Array(10);
    first?.push(small);
    second?.push(small.map(() => 8));
    first?.moveInto(target, 0, 10);
    third?.push(small.map(() => 9));
    assert.deepEqual([block[0], target[0]], [9, 7]);
    second?.moveInto(target, 0, 10);
    assert.equal(target[0], 8);
  });
});

describe('frame memory', () => {
  it('gives out no byte twice, and small frames side by side', () => {
    const memory = new FrameMemory();
    const lengths = [8, 100, 4_000, 70_000, 9, 5_000, 3_000, 4_095, 4_095, 4_095, 16];
    const frames = lengths.map((length, at) => memory.take(length).fill(at));
    for (const [at, frame] of frames.entries()) {
      assert.ok(frame.length === lengths[at] && frame.every((byte) => byte === at));
    }
    const out: Uint8Array[] = [];
    for (const frame of frames.slice(0, 3)) pushPiece(out, frame);
    assert.equal(out.length, 1);
    assert.equal(Buffer.compare(out[0] ?? new Uint8Array(0), Buffer.concat(frames.slice(0, 3))), 0);
    pushPiece(out, frames[3] ?? new Uint8Array(0));
    assert.equal(out.length, 2);
  });

  it('uses what was given back again, and nothing else', () => {
    const memory = new FrameMemory();
    const held = [65_536, 40_000, 20_000, 5_000].map((length) => memory.take(length).fill(1));
    const [whole, half] = [memory.take(60_000), memory.take(30_000)];
    memory.giveBack(whole);
    memory.giveBack(half);
    const [again, halfAgain] = [memory.take(65_536).fill(2), memory.take(17_000).fill(2)];
    assert.deepEqual([again.buffer, halfAgain.buffer], [whole.buffer, half.buffer]);
    const fresh = [65_536, 30_000].map((length) => memory.take(length).fill(3));
    for (const frame of held) assert.ok(frame.every((byte) => byte === 1));
    for (const frame of [again, halfAgain]) assert.ok(frame.every((byte) => byte === 2));
    assert.ok(fresh.every(({ length }, at) => length === [65_536, 30_000][at]));
  });

  it('does not take back what shares its memory with other frames', () => {
    const memory = new FrameMemory();
    const small = Array.from({ length: 40 }, (_, at) => memory.take(1_000).fill(at));
    for (const frame of small.slice(0, 20)) memory.giveBack(frame);
    for (const length of [9_000, 16_384, 16_000]) memory.take(length).fill(255);
    for (const [at, frame] of small.entries()) assert.ok(frame.every((byte) => byte === at));
  });

  it('keeps no more than it may need again', () => {
    const memory = new FrameMemory();
    const many = Array.from({ length: 100 }, () => memory.take(65_536));
    for (const frame of many) memory.giveBack(frame);
    const known = new Set(many.map(({ buffer }) => buffer));
    const reused = many.filter(() => known.has(memory.take(65_536).buffer));
    assert.equal(reused.length, 64);
    for (const frame of many) memory.giveBack(frame);
    memory.trim();
    assert.ok(!known.has(memory.take(65_536).buffer));
  });

  it('joins no pieces between which something is left out', () => {
    const [first, , third] = [new FrameMemory()].flatMap((memory) => [
      memory.take(10),
      memory.take(10),
      memory.take(10),
    ]);
    const out: Uint8Array[] = [];
    pushPiece(out, first ?? new Uint8Array(0));
    pushPiece(out, third ?? new Uint8Array(0));
    assert.equal(out.length, 2);
  });
});
