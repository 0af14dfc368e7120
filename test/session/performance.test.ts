import assert from 'node:assert/strict';
import { Pair, type PairOptions } from '../support/session-pair.ts';

/** 100 Mbit/s, 50 ms there and back, and room for 1 MB on the way. */
const HOME: PairOptions = { bytesPerMs: 12_500, latencyMs: 25, roomBytes: 1 << 20 };

interface Figures {
  readonly p50: number;
  readonly p99: number;
  /** Of what the path can carry. */
  readonly share: number;
}

/** Bulk on one stream, and every 20 ms one byte there and back on another. */
function measure(path: PairOptions, seconds: number, streams = 1): Figures {
  const pair = new Pair(path);
  pair.connect();
  const key = pair.daemon.open();
  const bulks = Array.from({ length: streams }, () => pair.daemon.open('node/b', 'bulk'));
  pair.run(500);
  for (const bulk of bulks) pair.daemon.send(bulk, 1e11);
  pair.run(2_000);
  const taken: number[] = [];
  let sentAt = 0;
  const press = () => {
    sentAt = pair.now;
    pair.daemon.send(key, 1);
  };
  pair.agent.onEvent((event) => {
    if (event.type === 'data' && event.stream === key) pair.agent.send(key, 1);
  });
  pair.daemon.onEvent((event) => {
    if (event.type !== 'data' || event.stream !== key) return;
    taken.push(pair.now - sentAt);
    pair.timeline.at(pair.now + 20, press);
  });
  const count = () => bulks.reduce((sum, id) => sum + pair.agent.record(id).received, 0);
  const [from, before] = [pair.now, count()];
  press();
  pair.run(seconds * 1_000);
  taken.sort((a, b) => a - b);
  return {
    p50: taken[Math.floor(taken.length / 2)] ?? Number.POSITIVE_INFINITY,
    p99: taken[Math.floor(taken.length * 0.99)] ?? Number.POSITIVE_INFINITY,
    share: (count() - before) / (pair.now - from) / (path.bytesPerMs ?? 1),
  };
}

describe('a small stream beside bulk', function () {
  this.timeout(30_000);

  it('stays within 2 ms of the path at 100 Mbit/s and 50 ms, and the path stays full', () => {
    const { p50, p99, share } = measure(HOME, 25);
    assert.ok(p50 < 51.6, `p50 ${p50} ms`);
    assert.ok(p99 < 75, `p99 ${p99} ms`);
    assert.ok(share > 0.97, `${share} of the path`);
  });

  it('does as well beside eight of them', () => {
    const { p50, p99, share } = measure(HOME, 10, 8);
    assert.ok(p50 < 70, `p50 ${p50} ms`);
    assert.ok(p99 < 90, `p99 ${p99} ms`);
    assert.ok(share > 0.95, `${share} of the path`);
  });

  it('stays usable at 1 Mbit/s', () => {
    const { p50, share } = measure({ ...HOME, bytesPerMs: 125 }, 20);
    assert.ok(p50 < 180, `p50 ${p50} ms`);
    assert.ok(share > 0.95, `${share} of the path`);
  });

  it('that never pauses leaves bulk the rest of the path, also while the round trip is measured anew', () => {
    const path = { bytesPerMs: 1_000, latencyMs: 75, roomBytes: 1 << 20 };
    const pair = new Pair(path);
    pair.connect();
    const steady = pair.daemon.open();
    const bulk = pair.daemon.open('node/b', 'bulk');
    pair.run(500);
    pair.daemon.send(bulk, 1e11);
    pair.run(2_000);
    const say = () => {
      pair.daemon.send(steady, 400);
      pair.timeline.at(pair.now + 10, say);
    };
    say();
    const shares = Array.from({ length: 80 }, () => {
      const before = pair.agent.record(bulk).received;
      pair.run(500);
      return (pair.agent.record(bulk).received - before) / 500 / path.bytesPerMs;
    });
    const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
    assert.ok(mean > 0.9, `${mean} of the path`);
    assert.ok(Math.min(...shares) > 0.3, `${Math.min(...shares)} of it in half a second`);
  });

  it('is heard when it was opened as bulk but sends little', () => {
    const pair = new Pair({ ...HOME, bytesPerMs: 125 });
    pair.connect();
    const loud = pair.daemon.open('node/a', 'interactive');
    const quiet = pair.daemon.open('node/b', 'bulk');
    pair.daemon.send(loud, 1e9);
    pair.run(10_000);
    const began = pair.now;
    pair.daemon.send(quiet, 1);
    pair.runUntil(() => pair.agent.record(quiet).received === 1);
    assert.ok(pair.now - began < 150, `${pair.now - began} ms one way`);
  });
});

/**
 * How long so many bytes take on a stream of their own, one way, beyond what the path itself takes
 * for them.
 */
function lateMs(path: PairOptions, bytes: number, warmUpBytes: number): number {
  const pair = new Pair(path);
  pair.connect();
  pair.run(500);
  const move = (count: number): number => {
    const began = pair.now;
    const id = pair.agent.open('node/a', 'bulk');
    pair.agent.send(id, count, true);
    pair.runUntil(() => pair.daemon.streams.get(id)?.received === count);
    pair.run(1_000);
    return pair.daemon.record(id).received === count ? pair.now - 1_000 - began : 0;
  };
  if (warmUpBytes > 0) move(warmUpBytes);
  return move(bytes) - bytes / (path.bytesPerMs ?? 1) - (path.latencyMs ?? 0);
}

describe('bulk', function () {
  this.timeout(30_000);

  it('on a pipe that is measured loses little more than a round trip to its start', () => {
    const late = lateMs(HOME, 2e7, 1e7);
    assert.ok(late < 65, `${late} ms`);
  });

  it('on a new pipe is up to speed after four round trips', () => {
    const late = lateMs(HOME, 2e7, 0);
    assert.ok(late < 170, `${late} ms`);
  });

  it('fills 100 Mbit/s at 50 ms within the first second', () => {
    const pair = new Pair(HOME);
    pair.connect();
    const id = pair.daemon.open('node/a', 'bulk');
    pair.daemon.send(id, 1e11);
    pair.run(1_000);
    const before = pair.agent.record(id).received;
    pair.run(1_000);
    const share = (pair.agent.record(id).received - before) / 1_000 / 12_500;
    assert.ok(share > 0.95, `${share} of the path`);
  });

  it('fills 400 Mbit/s at 50 ms', () => {
    assert.ok(measure({ ...HOME, bytesPerMs: 50_000, roomBytes: 1 << 22 }, 3).share > 0.95);
  });

  it('fills the path again after a cut', () => {
    const pair = new Pair({ ...HOME, reconnectMs: 100 });
    pair.connect();
    const id = pair.daemon.open('node/a', 'bulk');
    pair.daemon.send(id, 1e11);
    pair.run(5_000);
    pair.cut();
    pair.run(2_000);
    const before = pair.agent.record(id).received;
    pair.run(1_000);
    const share = (pair.agent.record(id).received - before) / 1_000 / 12_500;
    assert.ok(share > 0.95, `${share} of the path`);
  });

  it('of several streams shares the path evenly', () => {
    const pair = new Pair(HOME);
    pair.connect();
    const ids = Array.from({ length: 4 }, () => pair.daemon.open('node/a', 'bulk'));
    for (const id of ids) pair.daemon.send(id, 1e11);
    pair.run(5_000);
    const received = ids.map((id) => pair.agent.record(id).received);
    assert.ok(Math.max(...received) / Math.min(...received) < 1.3, String(received));
  });

  it('gives its turn to each in the face of many small streams', () => {
    const pair = new Pair({ ...HOME, bytesPerMs: 1_250 });
    pair.connect();
    const bulk = pair.daemon.open('node/a', 'bulk');
    pair.daemon.send(bulk, 1e11);
    const small = Array.from({ length: 200 }, () => pair.daemon.open());
    for (let turn = 0; turn < 50; turn++) {
      for (const id of small) pair.daemon.send(id, 3_000);
      pair.run(100);
    }
    const share = pair.agent.record(bulk).received / pair.now / 1_250;
    assert.ok(share > 0.1, `${share} of the path`);
  });

  it('both ways at once keeps most of the path busy', () => {
    const pair = new Pair(HOME);
    pair.connect();
    const up = pair.daemon.open('node/a', 'bulk');
    const down = pair.agent.open('node/a', 'bulk');
    pair.daemon.send(up, 1e11);
    pair.agent.send(down, 1e11);
    pair.run(20_000);
    const shares = [pair.agent.record(up), pair.daemon.record(down)].map(
      ({ received }) => received / pair.now / 12_500,
    );
    assert.ok(Math.min(...shares) > 0.6, `${shares} of the path`);
  });
});
