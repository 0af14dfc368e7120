import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { checkSessionConfig, SESSION_DEFAULTS } from '../../src/session/config.ts';
import { EventQueue } from '../../src/session/event-queue.ts';
import { Lifecycle } from '../../src/session/lifecycle.ts';
import { MaxOverRounds } from '../../src/session/max-over-rounds.ts';
import { RateMeter } from '../../src/session/rate-meter.ts';
import { Session } from '../../src/session/session.ts';
import { StreamIds } from '../../src/session/stream-ids.ts';
import type { StreamState, StreamStep } from '../../src/session/stream-state.ts';
import { mayReceive, nextState } from '../../src/session/stream-state.ts';

describe('the states of a stream', () => {
  const STATES: StreamState[] = [
    'opening',
    'open',
    'halfClosedLocal',
    'halfClosedRemote',
    'closed',
  ];
  const STEPS: StreamStep[] = ['accept', 'reject', 'finSent', 'finReceived', 'reset'];

  it('are those of the protocol’s page, and no other step is allowed', () => {
    const allowed = STATES.flatMap((state) =>
      STEPS.filter((step) => nextState(state, step) !== undefined).map(
        (step) => `${state} ${step} ${nextState(state, step)}`,
      ),
    );
    assert.deepEqual(allowed, [
      'opening accept open',
      'opening reject closed',
      'opening reset closed',
      'open finSent halfClosedLocal',
      'open finReceived halfClosedRemote',
      'open reset closed',
      'halfClosedLocal finReceived closed',
      'halfClosedLocal reset closed',
      'halfClosedRemote finSent closed',
      'halfClosedRemote reset closed',
    ]);
  });

  it('say when DATA may come', () => {
    const opener = STATES.filter((state) => mayReceive(state, true));
    const other = STATES.filter((state) => mayReceive(state, false));
    assert.deepEqual(opener, ['open', 'halfClosedLocal']);
    assert.deepEqual(other, ['opening', 'open', 'halfClosedLocal']);
  });
});

describe('stream ids', () => {
  it('rise, are of one parity, and run out', () => {
    const ids = new StreamIds('agent', 0xffff_fffc);
    assert.deepEqual([ids.take(), ids.take(), ids.take()], [0xffff_fffc, 0xffff_fffe, undefined]);
  });

  it('of the other end may leave gaps but not go back', () => {
    const ids = new StreamIds('daemon');
    assert.deepEqual(
      [2, 2, 10, 4, 3].map((id) => ids.takeForPeer(id)),
      [true, false, true, false, false],
    );
    assert.deepEqual(
      [2, 8, 10, 12, 1].map((id) => ids.wasUsed(id)),
      [true, true, true, false, false],
    );
  });
});

describe('the life of a session', () => {
  it('counts outages between its first attach and its end', () => {
    const life = new Lifecycle(SESSION_DEFAULTS);
    life.onAttaching(0);
    life.onDetached(500);
    life.onAttaching(1_000);
    life.onAttached(1_100);
    assert.equal(life.outageMs(2_000), 0);
    life.onDetached(2_000);
    life.onAttaching(2_500);
    assert.equal(life.outageMs(2_700), 700);
    life.onAttached(3_000);
    assert.deepEqual([life.outageMs(9_000), life.resumes], [1_000, 1]);
    life.onDetached(10_000);
    life.onEnded(10_400);
    assert.equal(life.outageMs(99_000), 1_400);
  });
});

describe('the events of a session', () => {
  it('come in order, and none behind the end', () => {
    const events = new EventQueue();
    events.push({ type: 'accepted', stream: 1 });
    events.push({ type: 'ended', reason: { code: 0, text: '' }, error: undefined });
    events.push({ type: 'accepted', stream: 3 });
    const types = [events.take()?.type, events.take()?.type, events.take()?.type];
    assert.deepEqual(types, ['accepted', 'ended', undefined]);
  });
});

describe('a rate meter', () => {
  it('counts a half after half a second', () => {
    const meter = new RateMeter();
    meter.add(1_000, 100);
    assert.equal(meter.read(600), 500);
    meter.add(500, 600);
    assert.equal(meter.read(1_600), 250);
  });
});

describe('the best of the last rounds', () => {
  it('is forgotten after ten of them, and the next best takes over', () => {
    const best = new MaxOverRounds();
    assert.equal(best.value, 0);
    best.note(100, 1);
    best.note(40, 5);
    best.note(70, 8);
    best.note(10, 10);
    assert.equal(best.value, 100);
    best.note(10, 11);
    assert.equal(best.value, 70);
    best.note(10, 18);
    assert.equal(best.value, 10);
  });
});

describe('the options of a session', () => {
  it('have defaults that hold', () => {
    checkSessionConfig(SESSION_DEFAULTS);
  });

  const BAD = {
    'a limit of 0': { maxStreams: 0 },
    'no number': { graceMs: Number.NaN },
    'a heartbeat slower than death': { heartbeatMs: 9_000 },
    'a heartbeat slower than a jump of the clock': { heartbeatMs: 6_000 },
    'a budget that no frame fits': { replayBudgetBytes: 5_000 },
    'bounds that cross': { minInFlightBytes: 100_000, maxInFlightBytes: 90_000 },
  };
  for (const [what, values] of Object.entries(BAD)) {
    it(`are refused with ${what}`, () => {
      const config = { ...SESSION_DEFAULTS, ...values };
      assert.throws(() => new Session('daemon', config, new Uint8Array(16), 0), {
        code: 'CONFIG_INVALID',
      });
    });
  }

  it('are those of the page, with the defaults it tells', () => {
    const page = path.join(import.meta.dirname, '..', '..', 'docs', 'session.md');
    const rows = readFileSync(page, 'utf8').matchAll(/^\| `(\w+)` \| ([\d,]+)( [KM]iB)? \|/gm);
    const told = Array.from(rows, ([, name = '', digits = '', unit]) => {
      const scale = unit === ' MiB' ? 2 ** 20 : unit === ' KiB' ? 2 ** 10 : 1;
      return [name, Number(digits.replaceAll(',', '')) * scale];
    });
    assert.deepEqual(Object.fromEntries(told), SESSION_DEFAULTS);
  });

  it('go with an id of 16 bytes', () => {
    assert.throws(() => new Session('daemon', SESSION_DEFAULTS, new Uint8Array(15), 0), {
      code: 'INTERNAL',
    });
  });
});
