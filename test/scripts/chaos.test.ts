import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { Programs } from '../../scripts/chaos/epmux-peer.ts';
import { measureWith } from '../../scripts/chaos/peers.ts';
import { type Act, CUTS, schedule, stop } from '../../scripts/chaos/schedule.ts';
import { asText, scorecard } from '../../scripts/chaos/scorecard.ts';
import { EPMUX } from '../support/dyno.ts';

const PROGRAMS: Programs = { epmux: EPMUX, agent: [...EPMUX, 'agent'], remove: () => {} };
const CUTS_HERE = 10;
/** Nodes give each other up after 3 to 5 s of silence then. */
const TICK_TIME_S = 4;
const STOP_MS = 6_000;

function first(count: number, options: { seed: number; short?: boolean }): Act[] {
  const acts: Act[] = [];
  for (const act of schedule(options)) if (acts.push(act) === count) break;
  return acts;
}

describe('the schedule of sabotage', () => {
  it('is the same for the same seed, and another for another', () => {
    assert.deepEqual(first(200, { seed: 7 }), first(200, { seed: 7 }));
    assert.notDeepEqual(first(200, { seed: 7 }), first(200, { seed: 8 }));
  });

  it('has every kind of cut and real end in it', () => {
    const kinds = new Set(first(3_000, { seed: 1 }).map(({ kind }) => kind));
    const alone = ['stop-laptop', 'stop-daemon'];
    for (const kind of [...CUTS, 'end-agent', 'end-node'] as const) {
      assert.equal(kinds.has(kind), !alone.includes(kind), kind);
    }
  });

  it('keeps outages below what bulk survives, but for those that come in quiet hours', () => {
    for (const { kind, lastsMs } of first(3_000, { seed: 2 })) {
      assert.ok(lastsMs <= 10_000 || kind === 'long-blackhole', `${kind} ${lastsMs}`);
    }
  });
});

const missing = existsSync('/proc/self/fd') ? '' : ' (not here: it reads /proc)';

describe(`a run of chaos with real processes${missing}`, function () {
  this.timeout(300_000);
  before(function () {
    if (missing !== '') this.skip();
  });

  it('loses nothing in ten cuts and while the laptop stands still for longer than the tick time', async () => {
    const seed = randomInt(1, 2 ** 31);
    const acts = [...first(CUTS_HERE, { seed, short: true }), ...stop('laptop', STOP_MS)];
    const card = scorecard(
      await measureWith('epmux', PROGRAMS, {
        seed,
        peer: 'epmux',
        acts,
        untilMs: Number.POSITIVE_INFINITY,
        untilCuts: acts.length,
        tickTimeS: TICK_TIME_S,
        blobBytes: 2_000_000,
        callers: 4,
        callersBack: 2,
        longestCallMs: 2_000,
        withoutWarmUp: true,
        say: () => {},
      }),
    );
    assert.ok(card.passed, asText(card));
    assert.equal(card.figures['cutsSurvived'], acts.length, asText(card));
    assert.ok(Number(card.figures['messages']) > 0, asText(card));
  });
});
