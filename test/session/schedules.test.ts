import assert from 'node:assert/strict';
import fc from 'fast-check';
import { SESSION_DEFAULTS } from '../../src/session/config.ts';
import type { Endpoint } from '../support/session-endpoint.ts';
import { Pair } from '../support/session-pair.ts';

type Side = 'daemon' | 'agent';

type Step =
  | { readonly do: 'open'; readonly side: Side; readonly bulk: boolean }
  | { readonly do: 'send'; readonly side: Side; readonly pick: number; readonly bytes: number }
  | { readonly do: 'finish' | 'reset'; readonly side: Side; readonly pick: number }
  | { readonly do: 'cut' }
  | { readonly do: 'blackhole' }
  | { readonly do: 'attach late'; readonly ms: number }
  | { readonly do: 'sleep'; readonly ms: number }
  | { readonly do: 'wait'; readonly ms: number };

const side = fc.constantFrom<Side>('daemon', 'agent');
const pick = fc.nat(7);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('open'), side, bulk: fc.boolean() }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('send'),
      side,
      pick,
      bytes: fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 300_000 })),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('finish', 'reset'), side, pick }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('cut', 'blackhole') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('attach late'), ms: fc.nat(1_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('sleep'), ms: fc.nat(8_000) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('wait'), ms: fc.nat(300) }) },
) as fc.Arbitrary<Step>;

const BUDGET = 64 * 1024;
/** More than all control frames of one schedule. */
const SMALL_CONTROL = 4_096;
const BUFFER = 32 * 1024;
const ALL_BUFFERS = 128 * 1024;
/** A write is taken whole. */
const WRITE = 16_384;
const CONFIG = {
  replayBudgetBytes: BUDGET,
  streamBufferBytes: BUFFER,
  crowdedBufferBytes: ALL_BUFFERS / 2,
  maxBufferedBytes: ALL_BUFFERS,
  maxWindowsTotalBytes: 256 * 1024,
  maxWindowBytes: 128 * 1024,
};

class Schedule {
  readonly pair = new Pair({
    reconnectMs: 50,
    latencyMs: 10,
    bytesPerMs: 2_000,
    roomBytes: 32_768,
    config: CONFIG,
    agent: { readsBytesPerMs: 1_500 },
  });
  readonly #open: Record<Side, number[]> = { daemon: [], agent: [] };
  /** By stream: which of its two directions its writer has ended, and whether it was reset. */
  readonly #ended = new Set<string>();
  readonly #reset = new Set<number>();

  constructor() {
    for (const one of ['daemon', 'agent'] as const) {
      this.pair[one].onEvent((event) => {
        if (event.type === 'opened') this.#open[one].push(event.stream);
      });
    }
    this.pair.connect();
  }

  take(step: Step): void {
    const { pair } = this;
    if (step.do === 'open') {
      this.#open[step.side].push(
        pair[step.side].open('node/a', step.bulk ? 'bulk' : 'interactive'),
      );
      pair[step.side].pump();
    } else if (step.do === 'wait') pair.run(step.ms);
    else if (step.do === 'sleep') pair.sleep(step.ms);
    else if (step.do === 'attach late') pair.attachLate(step.ms);
    else if (step.do === 'cut') pair.cut();
    else if (step.do === 'blackhole') pair.blackhole();
    else this.#onStream(step);
    this.checkBounds();
  }

  checkBounds(): void {
    for (const end of [this.pair.daemon, this.pair.agent]) {
      const { unackedBytes } = end.session.stats(this.pair.now);
      assert.ok(unackedBytes <= BUDGET + SMALL_CONTROL);
      let buffered = 0;
      for (const id of end.streams.keys()) {
        const bytes = end.session.bufferedBytes(id);
        // In an outage one may take half of the room.
        assert.ok(bytes <= ALL_BUFFERS / 2 + WRITE);
        buffered += bytes;
      }
      assert.ok(buffered <= ALL_BUFFERS + WRITE * end.streams.size);
    }
  }

  /** Ends every stream and looks whether all that was written has arrived. */
  settle(): void {
    const { pair } = this;
    for (const one of ['daemon', 'agent'] as const) {
      for (const id of this.#open[one]) this.#finish(pair[one], one, id);
    }
    pair.run(60_000);
    for (const one of ['daemon', 'agent'] as const) {
      for (const id of this.#open[one]) this.#finish(pair[one], one, id);
    }
    pair.runUntil(() => this.#isQuiet(), 600_000);
    assert.deepEqual([...pair.daemon.events('ended'), ...pair.agent.events('ended')], []);
    this.#checkStreams(pair.daemon, pair.agent);
    this.#checkStreams(pair.agent, pair.daemon);
  }

  #onStream(step: Extract<Step, { side: Side; pick: number }>): void {
    const end = this.pair[step.side];
    const ids = this.#open[step.side];
    const id = ids[step.pick % Math.max(1, ids.length)];
    if (id === undefined || end.record(id).closed !== undefined) return;
    if (step.do === 'reset') {
      this.#reset.add(id);
      end.reset(id);
    } else if (!this.#ended.has(`${step.side} ${id}`)) {
      if (step.do === 'send') end.send(id, step.bytes);
      else this.#finish(end, step.side, id);
    }
  }

  #finish(end: Endpoint, one: Side, id: number): void {
    if (this.#ended.has(`${one} ${id}`) || end.record(id).closed !== undefined) return;
    this.#ended.add(`${one} ${id}`);
    end.send(id, 0, true);
  }

  #isQuiet(): boolean {
    return [this.pair.daemon, this.pair.agent].every((end) => {
      const { streams, unackedBytes } = end.session.stats(this.pair.now);
      return streams === 0 && unackedBytes === 0;
    });
  }

  #checkStreams(from: Endpoint, to: Endpoint): void {
    for (const [id, record] of from.streams) {
      if (this.#reset.has(id)) {
        // FIN both ways may have crossed the RESET.
        if (record.closed !== undefined) assert.ok([0, 14].includes(record.closed.code));
        continue;
      }
      assert.equal(record.closed?.code, 0, `stream ${id} of ${from.name}`);
      assert.equal(to.record(id).received, from.written(id), `stream ${id} from ${from.name}`);
      assert.equal(to.record(id).finished, true);
    }
  }
}

describe('any schedule of opens, writes, finishes, resets, cuts, late attaches, blackholes and sleeps', () => {
  it('arrives byte for byte, in order and once, within the bounds', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        const schedule = new Schedule();
        for (const one of steps) schedule.take(one);
        schedule.settle();
      }),
      { numRuns: 120 },
    );
  }).timeout(60_000);

  it('keeps the default budget when nothing is acknowledged', () => {
    const pair = new Pair({ config: { maxInFlightBytes: 1e9, minInFlightBytes: 5e8 } });
    pair.connect();
    pair.run(100);
    const ids = Array.from({ length: 500 }, () => pair.daemon.open('node/a', 'bulk'));
    pair.run(100);
    pair.blackhole();
    for (const id of ids) pair.daemon.send(id, 1e6);
    pair.run(5_000);
    const { unackedBytes } = pair.daemon.session.stats(pair.now);
    const budget = SESSION_DEFAULTS.replayBudgetBytes;
    assert.ok(unackedBytes <= budget && unackedBytes > budget - 70_000, `${unackedBytes} bytes`);
  });
});
