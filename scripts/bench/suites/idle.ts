/** What a tunnel costs on which nothing moves. */
import { IdleRelays } from '../idle-relays.ts';
import { pause } from '../measures.ts';
import { cpuSeconds } from '../processes.ts';
import type { Column, Suite } from '../suite.ts';
import { NO_PATH, type WayKind } from '../ways.ts';

const STREAMS = [1, 100, 1_000, 10_000] as const;
/** Collections of garbage and closing timers are over by then. */
const SETTLE_MS = { full: 2_000, quick: 1_000 } as const;

const COLUMNS: readonly Column[] = [
  { key: 'base', title: 'without a stream, MB', digits: 1 },
  { key: 'mb1', title: '1 stream more, MB', digits: 1 },
  ...STREAMS.slice(1).map((count) => ({
    key: `kb${count}`,
    title: `${count.toLocaleString('en')} streams, KB each`,
    digits: 1,
  })),
  { key: 'idleCpu', title: 'idle, % of a core', digits: 2 },
];

export function idleSuite(kinds: readonly WayKind[], quick: boolean): Suite {
  const most = quick ? 1_000 : 10_000;
  const idleMs = quick ? 2_000 : 20_000;
  const settleMs = SETTLE_MS[quick ? 'quick' : 'full'];
  return {
    key: 'idle',
    title: 'Nothing moves: memory of its own of all relays together, and CPU',
    columns: COLUMNS,
    kinds,
    rounds: 1,
    hop: NO_PATH,
    async measure(stage, way, kind) {
      const processes = way.relays();
      if (processes.length === 0) return {};
      const relays = new IdleRelays(stage, kind, way, settleMs);
      const base = await relays.memoryKiB();
      const cpuBefore = cpuSeconds(processes);
      await pause(idleMs);
      const idleCpu = ((cpuSeconds(processes) - cpuBefore) / (idleMs / 1_000)) * 100;
      const sample: Record<string, number> = { base: base / 1_024, idleCpu };
      let one = base;
      for (const count of STREAMS) {
        if (count > Math.min(most, kind.mostIdle?.streams ?? most)) break;
        await relays.hold(count);
        const now = await relays.memoryKiB();
        if (count === 1) {
          one = now;
          sample['mb1'] = (now - base) / 1_024;
        } else sample[`kb${count}`] = (now - one) / (count - 1);
      }
      await relays.release();
      return sample;
    },
  };
}
