import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { Programs } from '../../scripts/chaos/epmux-peer.ts';
import { measureWith } from '../../scripts/chaos/peers.ts';
import { type Act, CUTS, schedule, stop } from '../../scripts/chaos/schedule.ts';
import { asText, type Measured, scorecard } from '../../scripts/chaos/scorecard.ts';
import { EPMUX } from '../support/dyno.ts';

const PROGRAMS: Programs = { epmux: EPMUX, agent: [...EPMUX, 'agent'], remove: () => {} };
const CUTS_HERE = 10;
/** Nodes give each other up after 3 to 5 s of silence then. */
const TICK_TIME_S = 4;
const STOP_MS = 5_500;

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
      assert.ok(lastsMs <= 8_000 || kind === 'long-blackhole', `${kind} ${lastsMs}`);
    }
  });
});

describe('the verdict on a run', () => {
  const [act] = first(1, { seed: 1 });
  assert.ok(act !== undefined);
  const held = { rssBytes: 1, descriptors: 9 };
  const kept: Measured = {
    peer: 'epmux',
    seed: 1,
    seconds: 60,
    cuts: new Map([['reset', { made: 2, survived: 2 }]]),
    ends: new Map(),
    resumes: [1, 2, 3].map((ms) => ({ act, ms })),
    pauses: { longest: 3, silent: 0 },
    books: { sent: 10, received: 10, call_done: 4 },
    executed: { ran: 4, doubled: 0 },
    handshakes: { begun: 1, done: 1 },
    failures: [],
    falseNodedowns: [],
    wireBytes: 0,
    restarts: 0,
    interventions: 0,
    toldResumes: 2,
    holdings: new Map([['agent', { before: held, after: held, peakRssBytes: 1 }]]),
    broken: [],
  };
  const nodedown = { at: 'me', of: 'app', reason: 'connection_closed', act };
  const failure = { what: 'call', begunAt: 0, failedAt: 1, why: 'noconnection' };
  const leaking = { before: held, after: { rssBytes: 1, descriptors: 10 }, peakRssBytes: 1 };
  const fat = { before: held, after: { rssBytes: 2e8, descriptors: 9 }, peakRssBytes: 1 };

  it('is good when every promise was kept', () => {
    const card = scorecard(kept);
    assert.deepEqual([card.passed, card.verdict], [true, []]);
    assert.equal(card.figures['resumeP50Ms'], 2);
  });

  const broken: [string, Partial<Measured>][] = [
    ['1 of 2 × reset not', { cuts: new Map([['reset', { made: 2, survived: 1 }]]) }],
    ['1 nodedowns though', { falseNodedowns: [nodedown] }],
    ['1 messages lost', { books: { sent: 10, received: 9, lost: 1 } }],
    ['2 messages lost', { books: { sent: 10, received: 8 } }],
    ['3 messages lost', { books: { sent: 10, received: 7, lost_in_nodedowns: 3 } }],
    ['1 messages doubled', { books: { sent: 10, received: 10, doubled: 1 } }],
    ['1 messages reordered', { books: { sent: 10, received: 9, lost: 1, reordered: 1 } }],
    ['1 answers or messages changed', { books: { sent: 10, received: 10, wrong: 1 } }],
    ['1 calls run more than once', { executed: { ran: 4, doubled: 1 } }],
    ['1 calls, binaries', { failures: [failure] }],
    ['1 descriptors more in the agent', { holdings: new Map([['agent', leaking]]) }],
    ['191 MiB more in the agent', { holdings: new Map([['agent', fat]]) }],
    ['it broke off', { broken: ['it broke off'] }],
  ];
  for (const [words, wrong] of broken) {
    it(`is bad: ${words}`, () => {
      const card = scorecard({ ...kept, ...wrong });
      assert.equal(card.passed, false);
      assert.ok(card.verdict.join('\n').startsWith(words), card.verdict.join('\n'));
    });
  }
});

const missing = existsSync('/proc/self/fd') ? '' : ' (left out: there is no /proc)';

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
