import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { judge } from '../../scripts/bench/bars.ts';
import { epmuxOverTcp } from '../../scripts/bench/epmux-ways.ts';
import { decodeHeader, encodeHeader } from '../../scripts/bench/load/wire.ts';
import { besideBulk, opening, roundTrips, throughput } from '../../scripts/bench/measures.ts';
import { PEER_WAYS } from '../../scripts/bench/peer-ways.ts';
import { cpuSeconds, familyOf } from '../../scripts/bench/processes.ts';
import { ownFailures, type Report, tables } from '../../scripts/bench/report.ts';
import { Stage } from '../../scripts/bench/stage.ts';
import { figureOf, percentile } from '../../scripts/bench/stats.ts';
import { runSuite, type SuiteResult } from '../../scripts/bench/suite.ts';
import { loopbackSuite } from '../../scripts/bench/suites/loopback.ts';
import { NO_PATH, type WayKind } from '../../scripts/bench/ways.ts';

function result(key: string, ways: Record<string, Record<string, readonly number[]>>): SuiteResult {
  return {
    key,
    title: key,
    columns: [{ key: 'up1', title: 'up', digits: 1 }],
    ways: Object.entries(ways).map(([way, figures]) => ({
      key: way,
      title: way,
      figures: Object.fromEntries(
        Object.entries(figures).map(([name, samples]) => [name, figureOf(samples)]),
      ),
    })),
  };
}

describe('what the bench makes of its samples', () => {
  it('are percentiles of them', () => {
    assert.equal(percentile([3, 1, 2], 0.5), 2);
    assert.equal(percentile([1, 2], 0.5), 1.5);
    assert.equal(percentile([0, 10], 0.99), 9.9);
    assert.ok(Number.isNaN(percentile([], 0.5)));
  });

  it('are bars, judged by the median of the rounds’ own ratios and by the worse direction', () => {
    const suite = result('loopback', {
      epmux: { up1: [96, 10, 96], down1: [94, 94, 94], rtt50: [1.05, 1.05, 1.05] },
      node: { up1: [100, 10, 100], down1: [100, 100, 100], rtt50: [1, 1, 1] },
    });
    const bars = judge([suite]);
    const of = (text: string) => bars.find(({ title }) => title.startsWith(text));
    assert.deepEqual(of('1 stream over TCP'), {
      title: '1 stream over TCP, of two Node relays’ throughput',
      bar: '≥ 0.95',
      measured: '0.94',
      outcome: 'miss',
    });
    assert.equal(of('idle RTT')?.outcome, 'pass');
    assert.equal(of('16 streams')?.outcome, 'not measured');
  });

  it('are no bar where the way broke later on, and that is told', () => {
    const suite = result('loopback', { epmux: { rtt50: [1] }, node: { rtt50: [1] } });
    const [epmux, node] = suite.ways;
    assert.ok(epmux !== undefined && node !== undefined);
    const broken = { ...suite, ways: [{ ...epmux, absent: 'it ended' }, node] };
    const bar = judge([broken]).find(({ title }) => title.startsWith('idle RTT'));
    assert.equal(bar?.outcome, 'not measured');
    assert.deepEqual(ownFailures([broken]), ['loopback, epmux: it ended']);
    assert.deepEqual(ownFailures([{ ...suite, ways: [epmux, { ...node, absent: 'none' }] }]), []);
  });

  it('is a table for a person, which names what could not be measured', () => {
    const suite = result('loopback', { node: { up1: [1, 3, 2] } });
    const absent = { key: 'socat', title: 'socat', absent: 'no socat here', figures: {} };
    const report: Report = {
      ...{ date: '2026-01-02', cores: 2, processor: 'x', node: 'v20', load: [0, 1], quick: false },
      suites: [{ ...suite, ways: [...suite.ways, absent] }],
      bars: [],
    };
    const text = tables(report);
    assert.match(text, /^\| node \| 2\.0 \(1\.0–3\.0\) \|$/m);
    assert.match(text, /^- not measured: socat \(no socat here\)$/m);
  });
});

describe('the load generator’s header', () => {
  it('says what is wanted', () => {
    for (const mode of ['echo', 'sink', 'source'] as const) {
      assert.deepEqual(decodeHeader(encodeHeader(mode, 12_345)), { mode, bytes: 12_345 });
    }
    assert.throws(() => decodeHeader(Buffer.alloc(9)));
  });
});

describe('the bench', function () {
  this.timeout(120_000);
  const HAS_PROC = existsSync('/proc/self/schedstat');
  let stage: Stage;
  before(async () => {
    stage = await Stage.start();
  });
  after(() => stage.stop());

  it(`moves bytes both ways through real relays and through epmux, and counts their CPU${HAS_PROC ? '' : ' (not here: no /proc)'}`, async () => {
    const build = await stage.build();
    const relays = PEER_WAYS.filter(({ key }) => key === 'node');
    for (const kind of [...relays, epmuxOverTcp(build)]) {
      const way = await kind.start(stage, NO_PATH);
      try {
        for (const direction of ['up', 'down'] as const) {
          const { mbPerSecond, cpuPerGb } = await throughput(stage, way, 2, direction, 50);
          assert.ok(mbPerSecond > 0, kind.key);
          if (HAS_PROC) assert.ok(cpuPerGb > 0, kind.key);
          const load = { streams: 1, direction, settleMs: 10 };
          const beside = await besideBulk(stage, way, load, 20, 1_000);
          assert.ok(beside.p50 > 0 && beside.p99 >= beside.p50, kind.key);
        }
        assert.ok((await roundTrips(stage, way, 20, 1_000)).p50 > 0);
        assert.ok((await opening(stage, way, 5)) > 0);
        if (HAS_PROC) assert.equal(way.relays().length, 2, kind.key);
      } finally {
        await way.stop();
      }
    }
  });

  it('goes on without a way that is absent or breaks, and says why', async () => {
    const broken: WayKind = {
      key: 'broken',
      title: 'broken',
      start: () => Promise.reject(new Error('it does not start')),
    };
    const absent: WayKind = { ...broken, key: 'absent', absent: () => 'it is not installed' };
    const { ways } = await runSuite(loopbackSuite([absent, broken], true, 1), stage, () => {});
    assert.deepEqual(
      ways.map((way) => way.absent),
      ['it is not installed', 'it does not start'],
    );
  });

  it('finds the processes that a process has started', async () => {
    const family = familyOf([process.pid]);
    assert.ok(family.includes(process.pid));
    if (HAS_PROC) {
      assert.ok(family.length > 1);
      assert.ok(cpuSeconds([process.pid]) > 0);
    }
  });
});
