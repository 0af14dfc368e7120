import assert from 'node:assert/strict';
import { FrameMemory } from '../../src/session/frame-memory.ts';
import { Scheduler } from '../../src/session/scheduler.ts';
import { Stream } from '../../src/session/stream.ts';
import { ReceiveWindow, WindowPool } from '../../src/session/window.ts';

const FRAME = 4_096;

class Bench {
  readonly scheduler: Scheduler;
  readonly #names = new Map<Stream, string>();
  now = 0;

  constructor(bytesPerMs = 0) {
    this.scheduler = new Scheduler({ bytesPerMs });
  }

  add(name: string, streamClass: 'interactive' | 'bulk', bytes: number): Stream {
    const window = new ReceiveWindow(new WindowPool(1), 1);
    const stream = new Stream({
      id: 1,
      openedHere: true,
      streamClass,
      window,
      memory: new FrameMemory(),
    });
    stream.onCredit(1e9);
    stream.buffer.push(new Uint8Array(bytes));
    this.#names.set(stream, name);
    this.scheduler.wake(stream);
    return stream;
  }

  /** The next turn, of one frame: whose it is. */
  turn(sparseOnly = false): string | undefined {
    const stream = this.scheduler.next(this.now, sparseOnly);
    if (stream === undefined) return undefined;
    const length = Math.min(FRAME, stream.buffer.bytes, stream.credit);
    stream.moveInto(new Uint8Array(length), 0, length);
    this.scheduler.onFramed(stream, length, this.now);
    return this.#names.get(stream);
  }

  turns(count: number): string {
    return Array.from({ length: count }, () => this.turn()).join('');
  }
}

describe('the scheduler', () => {
  it('takes streams of one level in turns', () => {
    const bench = new Bench();
    for (const name of ['a', 'b', 'c']) bench.add(name, 'bulk', 10 * FRAME);
    bench.turns(12);
    assert.equal(bench.turns(9), 'abcabcabc');
  });

  it('takes an interactive stream ahead of bulk', () => {
    const bench = new Bench();
    bench.add('b', 'bulk', 100 * FRAME);
    bench.turns(20);
    bench.add('i', 'interactive', 2 * FRAME);
    assert.equal(bench.turns(4), 'iibb');
  });

  it('takes a stream opened as bulk ahead while it sends little', () => {
    const bench = new Bench();
    bench.add('b', 'bulk', 100 * FRAME);
    bench.turns(20);
    bench.add('q', 'bulk', 100);
    assert.equal(bench.turns(2), 'qb');
  });

  it('counts an interactive stream that sends much as bulk, until it has been quiet', () => {
    const bench = new Bench();
    const loud = bench.add('i', 'interactive', 33 * FRAME);
    bench.add('b', 'bulk', 200 * FRAME);
    bench.turns(60);
    loud.buffer.push(new Uint8Array(4 * FRAME));
    bench.scheduler.wake(loud);
    assert.equal(bench.turns(4), 'bibi');
    bench.turns(10);
    bench.now += 10_000;
    loud.buffer.push(new Uint8Array(FRAME));
    bench.scheduler.wake(loud);
    assert.equal(bench.turn(), 'i');
  });

  it('calls less than that much on a slow path', () => {
    const bench = new Bench(100);
    bench.add('i', 'interactive', 100 * FRAME);
    bench.add('j', 'interactive', FRAME);
    bench.turns(5);
    bench.add('k', 'interactive', FRAME);
    assert.equal(bench.turns(2), 'ki');
  });

  it('gives bulk a turn now and then though sparse streams have no end', () => {
    const bench = new Bench();
    bench.add('b', 'bulk', 300 * FRAME);
    bench.turns(10);
    for (let n = 0; n < 50; n++) bench.add('s', 'interactive', 20 * FRAME);
    const turns = bench.turns(200);
    const bulk = turns.split('').filter((name) => name === 'b').length;
    assert.ok(bulk >= 8 && bulk <= 20, turns);
  });

  it('leaves bulk where it is when only sparse streams may go', () => {
    const bench = new Bench();
    bench.add('b', 'bulk', 100 * FRAME);
    bench.turns(10);
    assert.equal(bench.turn(true), undefined);
    bench.add('i', 'interactive', 10);
    assert.equal(bench.turn(true), 'i');
    assert.equal(bench.scheduler.idle, false);
  });

  it('knows who waits for credit, and takes it up when that comes', () => {
    const bench = new Bench();
    const window = new ReceiveWindow(new WindowPool(1), 1);
    const stream = new Stream({
      id: 1,
      openedHere: true,
      streamClass: 'bulk',
      window,
      memory: new FrameMemory(),
    });
    stream.buffer.push(new Uint8Array(70_000));
    stream.moveInto(new Uint8Array(65_536), 0, 65_536);
    bench.scheduler.wake(stream);
    assert.deepEqual([bench.scheduler.idle, bench.scheduler.lacksCredit], [true, true]);
    stream.onCredit(70_000);
    bench.scheduler.wake(stream);
    assert.deepEqual([bench.scheduler.idle, bench.scheduler.lacksCredit], [false, false]);
    bench.scheduler.drop(stream);
    assert.equal(bench.scheduler.idle, true);
  });

  describe('how much may lie in the pipe', () => {
    const LITTLE = 128 * 1024;
    const MUCH = 512 * 1024;

    function say(bench: Bench, stream: Stream, bytes: number): void {
      stream.buffer.push(new Uint8Array(bytes));
      bench.scheduler.wake(stream);
      assert.equal(bench.scheduler.next(bench.now, false), stream);
      stream.moveInto(new Uint8Array(bytes), 0, bytes);
      bench.scheduler.onFramed(stream, bytes, bench.now);
    }

    it('is little for a quarter of a second after a word of a sparse stream', () => {
      const bench = new Bench();
      assert.equal(bench.scheduler.mostQueuedBytes(0), MUCH);
      const stream = bench.add('i', 'interactive', 10);
      bench.turn();
      say(bench, stream, 10);
      assert.equal(bench.scheduler.mostQueuedBytes(0), LITTLE);
      assert.equal(bench.scheduler.mostQueuedBytes(250), LITTLE);
      assert.equal(bench.scheduler.mostQueuedBytes(251), MUCH);
    });

    it('is much after the first word of a stream, which may be the head of a long transfer', () => {
      const bench = new Bench();
      bench.add('i', 'interactive', 10);
      bench.turn();
      assert.equal(bench.scheduler.mostQueuedBytes(0), MUCH);
    });

    it('is much while bulk alone moves, also at its beginning and end', () => {
      const bench = new Bench();
      bench.add('b', 'interactive', 100 * FRAME + 10);
      bench.turns(101);
      assert.equal(bench.scheduler.idle, true);
      assert.equal(bench.scheduler.mostQueuedBytes(0), MUCH);
    });

    it('is much after something longer than a word', () => {
      const bench = new Bench();
      const stream = bench.add('i', 'interactive', 10);
      bench.turn();
      say(bench, stream, FRAME + 1);
      assert.equal(bench.scheduler.mostQueuedBytes(0), MUCH);
    });
  });
});
