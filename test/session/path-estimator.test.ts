import assert from 'node:assert/strict';
import { MAX_PAYLOAD_BYTES } from '../../src/protocol/constants.ts';
import { MIN_PAYLOAD_BYTES, SESSION_DEFAULTS } from '../../src/session/config.ts';
import { PathEstimator } from '../../src/session/path-estimator.ts';

/**
 * A path that takes all there may be in flight at its rate, and acknowledges each piece after the
 * round trip.
 */
class Road {
  readonly path = new PathEstimator(SESSION_DEFAULTS);
  now = 0;
  sent = 0;
  acked = 0;
  bytesPerMs: number;
  rttMs: number;
  /** At most so much is ever offered. */
  offers = Number.POSITIVE_INFINITY;
  #freeAt = 0;
  #arrivals: { at: number; position: number }[] = [];

  constructor(bytesPerMs: number, rttMs: number) {
    this.bytesPerMs = bytesPerMs;
    this.rttMs = rttMs;
    this.path.onPipe(0, 0);
  }

  get inFlight(): number {
    return this.sent - this.acked;
  }

  run(ms: number): void {
    for (const end = this.now + ms; this.now < end; this.now++) {
      while (this.#arrivals[0] !== undefined && this.#arrivals[0].at <= this.now) {
        this.acked = this.#arrivals.shift()?.position ?? 0;
        this.path.onAcknowledged(this.acked, this.now);
      }
      const room = Math.min(this.path.limitBytes, this.offers) - this.inFlight;
      for (let left = room; left > 0; left -= 4_096) this.#send(Math.min(left, 4_096));
      this.path.onSent(this.sent, this.now, this.inFlight < this.path.limitBytes);
      if (this.path.takePingWish()) this.#ping();
    }
  }

  #send(bytes: number): void {
    this.sent += bytes;
    this.#freeAt = Math.max(this.#freeAt, this.now) + bytes / this.bytesPerMs;
    this.#arrivals.push({ at: this.#freeAt + this.rttMs, position: this.sent });
  }

  #ping(): void {
    const rtt = Math.max(0, this.#freeAt - this.now) + this.rttMs;
    this.path.onPong(rtt, this.now + rtt);
  }
}

describe('the path estimator', () => {
  it('finds rate and round trip within some twenty round trips', () => {
    const road = new Road(10_000, 50);
    road.run(1_000);
    assert.ok(Math.abs(road.path.bytesPerMs / 10_000 - 1) < 0.1, `${road.path.bytesPerMs}`);
    assert.ok((road.path.minRttMs ?? 0) < 52);
  });

  it('lets a millisecond of the path less be in flight while a word is expected', () => {
    const road = new Road(10_000, 50);
    road.run(1_000);
    const calm = road.path.limitBytes;
    road.path.expectWord(true);
    assert.ok(Math.abs(calm - road.path.limitBytes - road.path.bytesPerMs) < 1);
    road.path.expectWord(false);
    assert.equal(road.path.limitBytes, calm);
  });

  it('doubles each round trip while it starts', () => {
    const road = new Road(1e9, 50);
    const rounds = [1, 2, 3, 4, 5].map(() => {
      road.run(50);
      return road.path.limitBytes;
    });
    road.run(2);
    const [first = 0] = rounds;
    assert.equal(first, 65_536);
    assert.ok((rounds[4] ?? 0) >= first * 2 ** 4, String(rounds));
  });

  it('goes on starting after one slow round that brought more', () => {
    const road = new Road(20_000, 50);
    road.run(120);
    road.rttMs = 80;
    road.run(60);
    road.rttMs = 50;
    road.run(500);
    assert.ok(road.path.bytesPerMs > 18_000, `${road.path.bytesPerMs}`);
  });

  it('stops doubling as soon as a queue builds up', () => {
    const road = new Road(125, 50);
    road.run(1_500);
    assert.ok(road.path.limitBytes < 30_000, `${road.path.limitBytes} bytes`);
  });

  it('keeps the path full and little more in flight than that takes', () => {
    const road = new Road(10_000, 50);
    road.run(5_000);
    const before = road.acked;
    let most = 0;
    for (let n = 0; n < 1_000; n++) {
      road.run(1);
      most = Math.max(most, road.inFlight);
    }
    assert.ok((road.acked - before) / 1_000 > 9_500);
    assert.ok(most < 10_000 * 50 * 1.5, `${most} bytes`);
  });

  it('follows a path that becomes faster, and one that becomes slower', () => {
    const road = new Road(2_000, 50);
    road.run(5_000);
    road.bytesPerMs = 20_000;
    road.run(3_000);
    assert.ok(road.path.bytesPerMs > 18_000, `${road.path.bytesPerMs}`);
    road.bytesPerMs = 1_000;
    road.run(15_000);
    assert.ok(road.path.limitBytes < 1_000 * 50 * 2.5, `${road.path.limitBytes}`);
  });

  it('follows a path that becomes longer', () => {
    const road = new Road(5_000, 20);
    road.run(5_000);
    road.rttMs = 120;
    road.run(30_000);
    const before = road.acked;
    road.run(5_000);
    const share = (road.acked - before) / 5_000 / 5_000;
    assert.ok(share > 0.9, `${share} of the path`);
  });

  it('stays within its bounds', () => {
    const slow = new Road(50, 20);
    slow.run(10_000);
    assert.equal(slow.path.limitBytes, SESSION_DEFAULTS.minInFlightBytes);
    const bounds = { ...SESSION_DEFAULTS, minInFlightBytes: 10_000, maxInFlightBytes: 70_000 };
    const path = new PathEstimator(bounds);
    path.onPipe(0, 0);
    path.onSent(1e9, 0, false);
    path.onAcknowledged(1e9, 100);
    assert.equal(path.limitBytes, 70_000);
  });

  it('makes frames that take the path no longer than 10 ms, and 1.5 ms above 16 KiB', () => {
    for (const [rate, expected] of [
      [100, MIN_PAYLOAD_BYTES],
      [1_000, 10_000],
      [3_000, 16_384],
      [12_500, 18_750],
      [50_000, MAX_PAYLOAD_BYTES],
    ] as const) {
      const road = new Road(rate, 20);
      road.run(3_000);
      const share = road.path.payloadBytes / expected;
      assert.ok(share > 0.85 && share < 1.15, `${road.path.payloadBytes} bytes at ${rate}`);
    }
  });

  it('knows what the path takes however long they send little', () => {
    const road = new Road(80_000, 50);
    road.run(2_000);
    for (let n = 0; n < 30; n++) {
      road.offers = 1;
      road.run(60);
    }
    road.offers = Number.POSITIVE_INFINITY;
    road.run(70);
    assert.ok(road.path.limitBytes > 80_000 * 50, `${road.path.limitBytes} bytes`);
  });

  it('believes the best of a new pipe’s first answers, and of an idle one’s', () => {
    const path = new PathEstimator(SESSION_DEFAULTS);
    path.onPipe(0, 0);
    const wishes = [70, 55, 52, 54, 50].map((rttMs, n) => {
      path.onPong(rttMs, n * 60 + rttMs);
      return path.takePingWish();
    });
    assert.deepEqual(wishes, [true, true, true, false, false]);
    for (let now = 3_000; now <= 40_000; now += 3_000) path.onPong(now === 9_000 ? 56 : 60, now);
    assert.equal(path.minRttMs, 56);
  });

  it('does not take streams that send little for a path that carries little', () => {
    const road = new Road(10_000, 50);
    road.run(2_000);
    const rate = road.path.bytesPerMs;
    road.offers = 0;
    for (let n = 0; n < 200; n++) {
      road.offers = road.inFlight + 100;
      road.run(1);
      road.offers = 0;
      road.run(99);
    }
    assert.ok(road.path.bytesPerMs > rate * 0.9, `${road.path.bytesPerMs} after ${rate}`);
  });

  it('begins anew with each pipe', () => {
    const road = new Road(10_000, 50);
    road.run(2_000);
    road.path.onPipe(road.sent, road.now);
    assert.deepEqual([road.path.bytesPerMs, road.path.minRttMs], [0, undefined]);
    assert.equal(road.path.limitBytes, 65_536);
  });
});
