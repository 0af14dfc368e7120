import assert from 'node:assert/strict';
import fc from 'fast-check';
import { INITIAL_CREDIT_BYTES } from '../../src/protocol/constants.ts';
import { ReceiveWindow, WindowPool } from '../../src/session/window.ts';

const MAX = 1 << 20;
const RTT = 50;

/** Takes and consumes `bytes` at each of these times. */
function consume(window: ReceiveWindow, bytes: number, times: readonly number[]): void {
  for (const now of times) {
    assert.equal(window.onReceived(bytes, now), true);
    window.onConsumed(bytes, now, RTT);
  }
}

function every(ms: number, count: number): number[] {
  return Array.from({ length: count }, (_, at) => 1_000 + at * ms);
}

describe('a receive window', () => {
  it('renews its credit when half of it was consumed', () => {
    const window = new ReceiveWindow(new WindowPool(MAX), MAX);
    window.onReceived(INITIAL_CREDIT_BYTES, 0);
    assert.equal(window.onConsumed(INITIAL_CREDIT_BYTES / 2 - 1, 10_000, RTT), false);
    assert.equal(window.onConsumed(1, 10_000, RTT), true);
    assert.equal(window.limit, INITIAL_CREDIT_BYTES * 1.5);
  });

  it('knows when more comes than its credit allows', () => {
    const window = new ReceiveWindow(new WindowPool(MAX), MAX);
    assert.equal(window.onReceived(INITIAL_CREDIT_BYTES, 0), true);
    assert.equal(window.onReceived(1, 0), false);
  });

  it('doubles while half a window is consumed within two round trips, up to its maximum', () => {
    const window = new ReceiveWindow(new WindowPool(10 * MAX), MAX);
    consume(window, INITIAL_CREDIT_BYTES / 2, every(10, 6));
    assert.ok(window.sizeBytes >= 4 * INITIAL_CREDIT_BYTES, String(window.sizeBytes));
    consume(window, INITIAL_CREDIT_BYTES / 2, every(1, 500));
    assert.equal(window.sizeBytes, MAX);
  });

  it('stays as it is while the reader takes its time', () => {
    const window = new ReceiveWindow(new WindowPool(MAX), MAX);
    consume(window, INITIAL_CREDIT_BYTES / 2, every(2.5 * RTT, 100));
    // The first half came at one time, which may have been fast.
    assert.ok(window.sizeBytes <= 2 * INITIAL_CREDIT_BYTES);
  });

  it('may begin with more, once, as long as that leaves half of all to those that grow', () => {
    const pool = new WindowPool(2 * MAX);
    const windows = [1, 2, 3].map(() => new ReceiveWindow(pool, MAX));
    const first = MAX / 2 + INITIAL_CREDIT_BYTES;
    assert.deepEqual(
      windows.map((window) => window.beginWith(first)),
      [true, true, false],
    );
    assert.deepEqual(
      windows.map(({ limit }) => limit),
      [first, first, INITIAL_CREDIT_BYTES],
    );
    assert.equal(windows[0]?.beginWith(first), false);
    assert.equal(new ReceiveWindow(new WindowPool(8 * MAX), 90_000).beginWith(MAX), true);
    assert.equal(windows[0]?.onReceived(first, 0), true);
    assert.equal(windows[0]?.onReceived(1, 0), false);
    windows[0]?.release();
    assert.equal(windows[2]?.beginWith(first), true);
  });

  it('grows within what all windows may take together, and gives it back', () => {
    const pool = new WindowPool(INITIAL_CREDIT_BYTES * 2);
    const windows = [new ReceiveWindow(pool, MAX), new ReceiveWindow(pool, MAX)];
    for (const window of windows) consume(window, INITIAL_CREDIT_BYTES / 2, every(1, 100));
    const sum = windows.reduce((total, { sizeBytes }) => total + sizeBytes, 0);
    assert.equal(sum, 4 * INITIAL_CREDIT_BYTES);
    for (const window of windows) window.release();
    for (const window of windows) window.release();
    assert.equal(pool.take(MAX), INITIAL_CREDIT_BYTES * 2);
  });

  it('refuses the owner that consumes what never came', () => {
    const window = new ReceiveWindow(new WindowPool(MAX), MAX);
    window.onReceived(10, 0);
    assert.throws(() => window.onConsumed(11, 0, RTT), { code: 'INTERNAL' });
  });

  it('never lets more be on its way than its size, and its limit never goes back', () => {
    const turn = fc.record({ bytes: fc.nat(INITIAL_CREDIT_BYTES), wait: fc.nat(200) });
    fc.assert(
      fc.property(fc.array(turn, { size: 'max', maxLength: 100 }), (turns) => {
        const window = new ReceiveWindow(new WindowPool(3 * MAX), MAX);
        let [now, received, consumed, limit] = [0, 0, 0, window.limit];
        for (const { bytes, wait } of turns) {
          now += wait;
          const comes = Math.min(bytes, window.limit - received);
          received += comes;
          assert.equal(window.onReceived(comes, now), true);
          const takes = Math.min(bytes, received - consumed);
          consumed += takes;
          window.onConsumed(takes, now, RTT);
          assert.ok(window.limit >= limit);
          limit = window.limit;
          assert.ok(limit - consumed <= window.sizeBytes && window.sizeBytes <= MAX);
        }
      }),
    );
  });
});
