/** One figure at a time, of one way. */
import type { Direction } from './load/commands.ts';
import { cpuSeconds } from './processes.ts';
import type { Stage } from './stage.ts';
import { percentile } from './stats.ts';
import type { Way } from './ways.ts';

const GB = 1e9;
const MB = 1e6;
const CALIBRATION_BYTES = 4 * MB;
const MAX_BYTES = 4 * GB;
/** Bulk runs for so long before anything is measured beside it. */
const SETTLE_MS = 200;

export interface Throughput {
  readonly mbPerSecond: number;
  /** CPU seconds of the relays for each GB. */
  readonly cpuPerGb: number;
}

/** What was seen before on the same way, so that the next run takes about as long as it is to. */
const seen = new WeakMap<Way, Map<string, number>>();

export async function throughput(
  stage: Stage,
  way: Way,
  streams: number,
  direction: Direction,
  ms: number,
): Promise<Throughput> {
  const known = seen.get(way) ?? new Map<string, number>();
  seen.set(way, known);
  const key = `${direction} ${streams}`;
  let rate = known.get(key);
  while (rate === undefined) {
    const first = await transfer(stage, way, streams, direction, CALIBRATION_BYTES);
    const second = await transfer(
      stage,
      way,
      streams,
      direction,
      first.mbPerSecond * MB * (ms / 2_000),
    );
    rate = second.mbPerSecond;
  }
  const measured = await transfer(stage, way, streams, direction, rate * MB * (ms / 1_000));
  known.set(key, measured.mbPerSecond);
  return measured;
}

async function transfer(
  stage: Stage,
  way: Way,
  streams: number,
  direction: Direction,
  wanted: number,
): Promise<Throughput> {
  const bytes =
    Math.ceil(Math.min(MAX_BYTES, Math.max(CALIBRATION_BYTES, wanted)) / streams) * streams;
  const { port } = way;
  const before = cpuSeconds(way.relays());
  const seconds = await stage.bulk.ask<'transfer', number>({
    do: 'transfer',
    ...{ port, streams, bytes, direction },
  });
  const cpu = cpuSeconds(way.relays()) - before;
  await stage.bulk.ask({ do: 'release' });
  return { mbPerSecond: bytes / MB / seconds, cpuPerGb: cpu / (bytes / GB) };
}

export interface Latency {
  readonly p50: number;
  readonly p99: number;
}

/** Milliseconds of one byte there and back. */
export async function roundTrips(
  stage: Stage,
  way: Way,
  count: number,
  forMs: number,
): Promise<Latency> {
  const times = await stage.prober.ask<'roundTrips', number[]>({
    do: 'roundTrips',
    ...{ port: way.port, count, warmUp: Math.min(50, Math.ceil(count / 10)), forMs },
  });
  return { p50: percentile(times, 0.5), p99: percentile(times, 0.99) };
}

/**
 * The same on a stream of its own while others are full of bulk; and how much of that went through,
 * MB/s.
 */
export async function besideBulk(
  stage: Stage,
  way: Way,
  load: { readonly streams: number; readonly direction: Direction; readonly settleMs?: number },
  count: number,
  forMs: number,
): Promise<Latency & { readonly mbPerSecond: number }> {
  const { streams, direction } = load;
  await stage.bulk.ask({ do: 'startBulk', port: way.port, streams, direction });
  try {
    await pause(load.settleMs ?? SETTLE_MS);
    const before = await stage.bulk.ask<'bulkBytes', number>({ do: 'bulkBytes' });
    const started = performance.now();
    const latency = await roundTrips(stage, way, count, forMs);
    const bytes = (await stage.bulk.ask<'bulkBytes', number>({ do: 'bulkBytes' })) - before;
    return { ...latency, mbPerSecond: bytes / MB / ((performance.now() - started) / 1_000) };
  } finally {
    await stage.bulk.ask({ do: 'stopBulk' });
  }
}

/** Milliseconds from connecting to the first byte back. */
export async function opening(stage: Stage, way: Way, count: number): Promise<number> {
  const { port } = way;
  return percentile(await stage.prober.ask<'open', number[]>({ do: 'open', port, count }), 0.5);
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
