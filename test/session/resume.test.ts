import assert from 'node:assert/strict';
import fc from 'fast-check';
import { MAX_PAYLOAD_BYTES } from '../../src/protocol/constants.ts';
import { Pair, type PairOptions } from '../support/session-pair.ts';
import type { Direction } from '../support/simulated-pipe.ts';

const RECONNECT_MS = 100;

/**
 * A short exchange with every kind of reliable frame in it: four streams, two of them rejected or
 * reset, a directory.
 */
function exchange(options: PairOptions): Pair {
  const pair = new Pair({ reconnectMs: RECONNECT_MS, ...options, agent: { accepts: false } });
  pair.agent.session.setDirectory({
    epoch: 3,
    epmdDown: false,
    truncated: false,
    nodes: [
      { name: 'a@b', visible: true, cookieKnown: false, port: 9, creation: 1, release: '27' },
    ],
  });
  pair.agent.onEvent((event) => {
    if (event.type !== 'opened') return;
    if (event.target === 'node/no') {
      pair.agent.session.reject(event.stream, { code: 11, text: 'none' });
      return;
    }
    pair.agent.session.accept(event.stream);
    pair.agent.send(event.stream, 300, true);
  });
  pair.connect();
  const whole = pair.daemon.open('node/a');
  pair.daemon.send(whole, 200);
  pair.daemon.send(whole, 90, true);
  pair.daemon.open('node/no');
  const bulk = pair.daemon.open('node/b', 'bulk');
  pair.daemon.send(bulk, 40_000, true);
  const reset = pair.daemon.open('node/c');
  pair.daemon.send(reset, 10);
  pair.timeline.at(400, () => {
    if (pair.daemon.record(reset).closed === undefined) pair.daemon.reset(reset);
  });
  return pair;
}

function check(pair: Pair): void {
  pair.run(5_000);
  const [daemon, agent] = [pair.daemon, pair.agent];
  assert.deepEqual([daemon.isAttached, agent.isAttached], [true, true]);
  for (const [id, bytes] of [
    [1, 290],
    [5, 40_000],
  ] as const) {
    const [here, there] = [daemon.record(id), agent.record(id)];
    assert.deepEqual([there.received, here.received], [bytes, 300]);
    assert.deepEqual([here.closed?.code, there.closed?.code], [0, 0]);
  }
  assert.deepEqual(daemon.record(3).closed, { code: 11, text: 'none' });
  assert.equal(agent.record(7).closed?.code, 14);
  assert.equal(daemon.events('directory').length, 1);
  for (const end of [daemon, agent]) {
    const stats = end.session.stats(pair.now);
    assert.deepEqual([stats.streams, stats.unackedBytes], [0, 0]);
  }
}

function recordedBytes(direction: Direction): number {
  const pair = exchange({});
  check(pair);
  return pair.pipe?.delivered(direction) ?? 0;
}

/**
 * All offsets near frame boundaries, which in this exchange lie at both ends; of the bulk in
 * between every so manyth.
 */
function offsets(total: number): number[] {
  const all = Array.from({ length: total }, (_, offset) => offset);
  return all.filter((offset) => offset < 900 || offset > total - 900 || offset % 61 === 0);
}

describe('a session that loses its pipe', () => {
  for (const direction of ['toAgent', 'toDaemon'] as const) {
    it(`recovers from a cut at any byte of an exchange, ${direction}`, () => {
      const total = recordedBytes(direction);
      assert.ok(total > 700);
      for (const afterBytes of offsets(total)) {
        const pair = exchange({ cuts: [{ direction, afterBytes }] });
        check(pair);
        assert.equal(pair.pipes, 2, `cut after ${afterBytes}`);
      }
    }).timeout(30_000);
  }

  it('recovers from cuts on every pipe, also in the middle of what is sent again', () => {
    const direction = fc.constantFrom<Direction>('toAgent', 'toDaemon');
    const cut = fc.record({ direction, afterBytes: fc.integer({ min: 0, max: 3_000 }) });
    fc.assert(
      fc.property(fc.array(cut, { maxLength: 25 }), (cuts) => {
        check(exchange({ cuts }));
      }),
      { numRuns: 150 },
    );
  }).timeout(30_000);

  it('resumes at the exact byte: what arrived is not sent twice', () => {
    const pair = new Pair({ reconnectMs: RECONNECT_MS, bytesPerMs: 100 });
    pair.connect();
    const id = pair.daemon.open('node/a', 'bulk');
    pair.daemon.send(id, 60_000, true);
    pair.run(200);
    const arrived = pair.agent.record(id).received;
    assert.ok(arrived > 5_000 && arrived < 50_000);
    pair.cut();
    pair.run(5_000);
    assert.equal(pair.agent.record(id).received, 60_000);
    const again = pair.pipe?.delivered('toAgent') ?? 0;
    assert.ok(again < 60_000 - arrived + 2_000, `${again} bytes on the second pipe`);
  });

  it('puts no more on a new pipe at once than on its first, however fast the last one was', () => {
    const pair = new Pair({ bytesPerMs: 12_500, latencyMs: 25 });
    pair.connect();
    const id = pair.daemon.open('node/a', 'bulk');
    pair.daemon.send(id, 1e11);
    pair.run(3_000);
    pair.cut();
    assert.ok(pair.daemon.session.stats(pair.now).unackedBytes > 500_000);
    pair.setPath({ bytesPerMs: 125 });
    pair.connect();
    pair.run(100);
    const written = pair.pipe?.written('toAgent') ?? 0;
    // What is sent again is divided as it was: the last frame may go beyond the limit.
    assert.ok(written > 30_000 && written < 65_536 + MAX_PAYLOAD_BYTES, `${written} bytes`);
  });

  it('keeps what is opened, written, finished and reset while there is no pipe', () => {
    const pair = new Pair();
    pair.connect();
    pair.run(100);
    pair.cut();
    const kept = pair.daemon.open();
    pair.daemon.send(kept, 5_000, true);
    const dropped = pair.daemon.open();
    pair.daemon.send(dropped, 5_000);
    pair.daemon.reset(dropped);
    pair.run(1_000);
    pair.connect();
    pair.run(1_000);
    assert.equal(pair.agent.record(kept).received, 5_000);
    assert.equal(pair.agent.record(kept).finished, true);
    assert.equal(pair.agent.streams.has(dropped), false, 'nobody heard of the reset stream');
  });

  it('is taken over by a second pipe while the first one still seems alive', () => {
    const pair = new Pair();
    pair.connect();
    const id = pair.daemon.open('node/a', 'bulk');
    pair.daemon.send(id, 100_000);
    pair.run(1_000);
    pair.blackhole();
    pair.daemon.send(id, 100_000, true);
    pair.run(1_000);
    pair.connect();
    pair.run(1_000);
    assert.equal(pair.agent.record(id).received, 200_000);
    assert.equal(pair.daemon.session.stats(pair.now).resumes, 1);
    assert.deepEqual(
      pair.daemon.events('attached').map(({ resumed }) => resumed),
      [false, true],
    );
  });

  it('is not ended, and keeps its pipe, when an ATTACH comes late that was overtaken', () => {
    const pair = new Pair({ reconnectMs: RECONNECT_MS });
    pair.connect();
    const id = pair.daemon.open();
    pair.daemon.send(id, 1_000);
    pair.run(1_000);
    pair.attachLate(600);
    pair.run(200);
    pair.agent.send(id, 500);
    pair.daemon.send(id, 500);
    pair.run(300);
    const { pipes } = pair;
    pair.run(1_000);
    pair.daemon.send(id, 500, true);
    pair.agent.send(id, 500, true);
    pair.run(1_000);
    assert.equal(pair.pipes, pipes);
    assert.deepEqual(
      [pair.agent.record(id).received, pair.daemon.record(id).received],
      [2_000, 1_000],
    );
    assert.deepEqual([...pair.daemon.events('ended'), ...pair.agent.events('ended')], []);
  });

  it('is attached once more when an ATTACH comes late whose position still holds', () => {
    const pair = new Pair({ reconnectMs: RECONNECT_MS });
    pair.connect();
    const id = pair.daemon.open();
    pair.daemon.send(id, 1_000);
    pair.run(1_000);
    pair.attachLate(600);
    pair.run(500);
    const { pipes } = pair;
    pair.run(1_000);
    pair.agent.send(id, 500, true);
    pair.daemon.send(id, 500, true);
    pair.run(1_000);
    assert.equal(pair.pipes, pipes + 1);
    assert.deepEqual(
      [pair.agent.record(id).received, pair.daemon.record(id).received],
      [1_500, 500],
    );
    assert.deepEqual([...pair.daemon.events('ended'), ...pair.agent.events('ended')], []);
  });

  it('does not count a byte that a slow reader has not asked for: credit survives the cut', () => {
    const pair = new Pair({ reconnectMs: RECONNECT_MS, agent: { readsBytesPerMs: 20 } });
    pair.connect();
    const id = pair.daemon.open('node/a', 'bulk');
    pair.daemon.send(id, 300_000, true);
    for (let cut = 0; cut < 10; cut++) {
      pair.run(700);
      pair.cut();
    }
    pair.runUntil(() => pair.agent.record(id).finished);
    assert.equal(pair.agent.record(id).received, 300_000);
  });
});
