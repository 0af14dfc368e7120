import assert from 'node:assert/strict';
import fc from 'fast-check';
import { FRAME_HEADER_BYTES, FrameType } from '../../src/protocol/constants.ts';
import { FrameMemory } from '../../src/session/frame-memory.ts';
import { CONTROL_RESERVE_BYTES, ReplayQueue } from '../../src/session/replay.ts';

const BUDGET = 100_000;

/** What goes out of the queue, told as positions: a twin that keeps the whole sequence. */
class Twin {
  sequence = Buffer.alloc(0);
  ends: number[] = [];
  acked = 0;
  sent = 0;

  append(frame: Uint8Array): void {
    this.sequence = Buffer.concat([this.sequence, frame]);
    this.ends.push(this.sequence.length);
  }

  take(maxBytes: number): Buffer {
    const pieces: Buffer[] = [];
    const limit = this.sent + maxBytes;
    while (this.sent < this.sequence.length && this.sent < limit) {
      const end = this.ends.find((one) => one > this.sent) ?? 0;
      const start = this.ends.findLast((one) => one <= this.sent) ?? 0;
      if (start < this.sent) {
        const header = Buffer.alloc(FRAME_HEADER_BYTES);
        header[0] = FrameType.TAIL;
        header.writeUIntBE(end - this.sent, 1, 3);
        pieces.push(header);
      }
      pieces.push(this.sequence.subarray(this.sent, end));
      this.sent = end;
    }
    return Buffer.concat(pieces);
  }
}

function take(queue: ReplayQueue, maxBytes: number): Buffer {
  const out: Uint8Array[] = [];
  queue.takeUnsent(maxBytes, out);
  return Buffer.concat(out);
}

describe('the replay queue', () => {
  it('behaves as a twin that keeps everything', () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    const action = fc.oneof(
      fc.record({
        do: fc.constant('append' as const),
        bytes: fc.oneof(fc.integer({ min: 8, max: 6_000 }), fc.integer({ min: 8, max: 65_544 })),
      }),
      fc.record({ do: fc.constant('take' as const), bytes: fc.nat(9_000) }),
      fc.record({ do: fc.constantFrom('ack' as const, 'rewind' as const), share }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 80, size: 'max' }), (actions) => {
        const queue = new ReplayQueue(BUDGET, new FrameMemory());
        const twin = new Twin();
        for (const [index, one] of actions.entries()) {
          if (one.do === 'append') {
            const frame = Buffer.alloc(one.bytes, index);
            queue.append(frame);
            twin.append(frame);
          } else if (one.do === 'take') {
            assert.equal(Buffer.compare(take(queue, one.bytes), twin.take(one.bytes)), 0);
          } else {
            const top = one.do === 'ack' ? twin.sent : twin.sequence.length;
            const position = twin.acked + Math.floor((top - twin.acked) * one.share);
            const taken = one.do === 'ack' ? queue.acknowledge(position) : queue.rewind(position);
            assert.ok(taken);
            twin.acked = position;
            if (one.do === 'rewind') twin.sent = position;
          }
          assert.equal(queue.sent, twin.sent);
          assert.equal(queue.bytes, twin.sequence.length - twin.acked);
          assert.equal(queue.inFlight, twin.sent - twin.acked);
        }
      }),
    );
  });

  it('ignores an acknowledgement that goes back and refuses one of what was not sent', () => {
    const queue = new ReplayQueue(BUDGET, new FrameMemory());
    queue.append(new Uint8Array(100));
    assert.equal(queue.acknowledge(1), false);
    take(queue, 100);
    assert.equal(queue.acknowledge(60), true);
    assert.equal(queue.acknowledge(30), true);
    assert.deepEqual([queue.sent, queue.inFlight], [100, 40]);
    assert.equal(queue.acknowledge(101), false);
  });

  it('refuses to resume from what it does not keep or never sent', () => {
    const queue = new ReplayQueue(BUDGET, new FrameMemory());
    queue.append(new Uint8Array(100));
    take(queue, 100);
    queue.acknowledge(60);
    assert.equal(queue.rewind(59), false);
    assert.equal(queue.rewind(101), false);
    assert.equal(queue.rewind(60), true);
    assert.equal(queue.rewind(100), true);
  });

  it('has room for control beyond the budget for data, and an end of that too', () => {
    const queue = new ReplayQueue(BUDGET, new FrameMemory());
    queue.append(new Uint8Array(BUDGET));
    assert.equal(queue.dataRoom, 0);
    assert.equal(queue.fitsControl(CONTROL_RESERVE_BYTES), true);
    assert.equal(queue.fitsControl(CONTROL_RESERVE_BYTES + 1), false);
  });

  it('hands out many small frames as one piece of the memory it keeps', () => {
    const queue = new ReplayQueue(BUDGET, new FrameMemory());
    for (let n = 0; n < 50; n++) queue.append(new Uint8Array(20).fill(n));
    const out: Uint8Array[] = [];
    queue.takeUnsent(BUDGET, out);
    assert.equal(out.length, 1);
    assert.equal(out[0]?.length, 1_000);
    queue.rewind(0);
    const again: Uint8Array[] = [];
    queue.takeUnsent(BUDGET, again);
    assert.equal(again[0]?.buffer, out[0]?.buffer);
  });

  it('is empty once cleared', () => {
    const queue = new ReplayQueue(BUDGET, new FrameMemory());
    queue.append(new Uint8Array(100));
    queue.clear();
    assert.deepEqual([queue.bytes, queue.inFlight, queue.hasUnsent], [0, 0, false]);
    assert.equal(take(queue, 100).length, 0);
  });
});
