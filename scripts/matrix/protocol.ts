import { EPMUX } from '../../test/support/dyno.ts';
import {
  nextMinor,
  type Release,
  recordedRelease,
  recordedVersions,
} from '../../test/support/releases.ts';
import type { PairResult, PartResult } from './result.ts';
import { checkCarriers } from './tunnel-checks.ts';

/**
 * Today's sources with each recorded release of the protocol, and with a minor to come, either way
 * round.
 */
export async function protocolPart(onPair: (pair: PairResult) => void): Promise<PartResult> {
  const today: Release = { name: 'today’s', epmux: EPMUX, agent: [...EPMUX, 'agent'] };
  const recorded = recordedVersions();
  const others = [...recorded.map(recordedRelease), await nextMinor()];
  const pairs: PairResult[] = [];
  for (const other of others) {
    for (const [daemon, agent] of [
      [today, other],
      [other, today],
    ] as const) {
      const title = `daemon: ${daemon.name}, agent: ${agent.name}`;
      const pair = await checkCarriers(title, { epmux: daemon.epmux, agent: agent.agent });
      pairs.push(pair);
      onPair(pair);
    }
  }
  const missing = recorded.length === 0 ? ['no release is recorded yet'] : [];
  return { part: 'protocol', with: others.map(({ name }) => name), pairs, missing };
}
