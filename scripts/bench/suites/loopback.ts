/** Both machines are this one: what the relays themselves cost. */
import { besideBulk, opening, roundTrips, throughput } from '../measures.ts';
import type { Column, Sample, Suite } from '../suite.ts';
import { NO_PATH, type WayKind } from '../ways.ts';

const COLUMNS: readonly Column[] = [
  { key: 'up1', title: '1 stream up, MB/s', digits: 0 },
  { key: 'down1', title: 'down', digits: 0 },
  { key: 'up16', title: '16 streams up, MB/s', digits: 0 },
  { key: 'down16', title: 'down', digits: 0 },
  { key: 'rtt50', title: 'RTT idle p50, ms', digits: 3 },
  { key: 'rtt99', title: 'p99', digits: 3 },
  { key: 'beside1up', title: 'beside 1 bulk up, p50, ms', digits: 2 },
  { key: 'beside1down', title: 'down', digits: 2 },
  { key: 'beside8up', title: 'beside 8 bulk up, p50, ms', digits: 2 },
  { key: 'beside8down', title: 'down', digits: 2 },
  { key: 'open', title: 'opening a stream, ms', digits: 3 },
  { key: 'cpu', title: 'CPU s/GB, 1 stream', digits: 2 },
  { key: 'cpu16', title: '16 streams', digits: 2 },
];

interface Extent {
  readonly rounds: number;
  readonly transferMs: number;
  readonly rttCount: number;
  readonly besideMs: number;
  readonly opens: number;
}
const FULL: Extent = { rounds: 5, transferMs: 800, rttCount: 10_000, besideMs: 1_000, opens: 200 };
const QUICK: Extent = { rounds: 2, transferMs: 250, rttCount: 500, besideMs: 250, opens: 50 };

export function loopbackSuite(kinds: readonly WayKind[], quick: boolean, rounds?: number): Suite {
  const extent = quick ? QUICK : FULL;
  return {
    key: 'loopback',
    title: 'Both ends on one machine',
    columns: COLUMNS,
    kinds,
    rounds: rounds ?? extent.rounds,
    warmUps: quick ? 0 : 1,
    hop: NO_PATH,
    async measure(stage, way): Promise<Sample> {
      const move = (streams: number, direction: 'up' | 'down') =>
        throughput(stage, way, streams, direction, extent.transferMs);
      const beside = async (streams: number, direction: 'up' | 'down') =>
        (await besideBulk(stage, way, { streams, direction }, 5_000, extent.besideMs)).p50;
      const [up1, down1] = [await move(1, 'up'), await move(1, 'down')];
      const [up16, down16] = [await move(16, 'up'), await move(16, 'down')];
      const idle = await roundTrips(stage, way, extent.rttCount, 5_000);
      return {
        up1: up1.mbPerSecond,
        down1: down1.mbPerSecond,
        up16: up16.mbPerSecond,
        down16: down16.mbPerSecond,
        rtt50: idle.p50,
        rtt99: idle.p99,
        beside1up: await beside(1, 'up'),
        beside1down: await beside(1, 'down'),
        beside8up: await beside(8, 'up'),
        beside8down: await beside(8, 'down'),
        open: await opening(stage, way, extent.opens),
        ...(kindHasRelays(way.relays())
          ? {
              cpu: (up1.cpuPerGb + down1.cpuPerGb) / 2,
              cpu16: (up16.cpuPerGb + down16.cpuPerGb) / 2,
            }
          : {}),
      };
    },
  };
}

const kindHasRelays = (pids: readonly number[]): boolean => pids.length > 0;
