/** A path between the two machines: one that only delays, and one that is narrow too. */
import { besideBulk, roundTrips, throughput } from '../measures.ts';
import { startServer } from '../processes.ts';
import type { Stage } from '../stage.ts';
import type { Column, Suite } from '../suite.ts';
import type { WayKind } from '../ways.ts';

export interface PathShape {
  readonly roundTripMs: number;
  readonly mbitPerSecond?: number;
}

const COLUMNS: readonly Column[] = [
  { key: 'up1', title: '1 stream up, MB/s', digits: 1 },
  { key: 'down1', title: 'down', digits: 1 },
  { key: 'up4', title: '4 streams up, MB/s', digits: 1 },
  { key: 'rtt50', title: 'RTT idle p50, ms', digits: 1 },
  { key: 'bulkUp', title: 'RTT beside bulk up p50, ms', digits: 1 },
  { key: 'bulkUp99', title: 'p99', digits: 1 },
  { key: 'bulkDown', title: 'beside bulk down p50, ms', digits: 1 },
  { key: 'bulkDown99', title: 'p99', digits: 1 },
];

/** Windows have grown and queues are as long as they get. */
const SETTLE_MS = 2_000;

export function pathSuite(
  stage: Stage,
  kinds: readonly WayKind[],
  shape: PathShape,
  quick: boolean,
  rounds = quick ? 1 : 3,
): Suite {
  const { roundTripMs, mbitPerSecond } = shape;
  const rate = mbitPerSecond === undefined ? [] : [(mbitPerSecond * 1e6) / 8];
  const transferMs = quick ? 2_000 : 4_000;
  const probes = quick ? 40 : 100;
  const name = mbitPerSecond === undefined ? 'unlimited' : `${mbitPerSecond} Mbit/s`;
  return {
    key: `path-${roundTripMs}${mbitPerSecond === undefined ? '' : `-${mbitPerSecond}`}`,
    title: `A path of ${roundTripMs} ms round trip, ${name}`,
    columns: COLUMNS,
    kinds,
    rounds,
    hop: async (port) => (await startServer(stage.node('path', port, roundTripMs, ...rate))).port,
    async measure(on, way) {
      const move = async (streams: number, direction: 'up' | 'down') =>
        (await throughput(on, way, streams, direction, transferMs)).mbPerSecond;
      const beside = (direction: 'up' | 'down') =>
        besideBulk(on, way, { streams: 1, direction, settleMs: SETTLE_MS }, probes, 60_000);
      const idle = await roundTrips(on, way, 40, 20_000);
      const up = await beside('up');
      const down = await beside('down');
      return {
        up1: await move(1, 'up'),
        down1: await move(1, 'down'),
        up4: await move(4, 'up'),
        rtt50: idle.p50,
        bulkUp: up.p50,
        bulkUp99: up.p99,
        bulkDown: down.p50,
        bulkDown99: down.p99,
      };
    },
  };
}
