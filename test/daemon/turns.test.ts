import assert from 'node:assert/strict';
import { ConnectionLoop } from '../../src/daemon/links/connection-loop.ts';
import { Turns } from '../../src/daemon/turns.ts';
import { DEFAULT_LIMITS } from '../support/default-limits.ts';
import { ManualClock } from '../support/manual-clock.ts';

const EVERY_MS = 100;
const BURST = 5;
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('turns at a pace', () => {
  let clock: ManualClock;
  let turns: Turns;
  let served: string[];

  beforeEach(() => {
    clock = new ManualClock();
    turns = new Turns({ clock, everyMs: EVERY_MS, burst: BURST });
    served = [];
  });

  const ask = (name: string, signal = new AbortController().signal): void => {
    turns.take(name, signal).then(
      () => served.push(name),
      () => undefined,
    );
  };
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    await settle();
  };

  it('come at once to the first few, then one each time, to the newest first', async () => {
    for (const name of 'abcdefgh') ask(name);
    await settle();
    assert.equal(served.join(''), 'abcde');
    await pass(EVERY_MS);
    assert.equal(served.join(''), 'abcdeh');
    await pass(EVERY_MS);
    await pass(EVERY_MS);
    assert.equal(served.join(''), 'abcdehgf');
    assert.equal(clock.waiting, 0);
  });

  it('are not kept for who has given up', async () => {
    for (const name of 'abcde') ask(name);
    const gone = new AbortController();
    for (let count = 0; count < 100; count += 1) ask('-', gone.signal);
    gone.abort();
    await settle();
    assert.equal(clock.waiting, 0);
    ask('f');
    await pass(EVERY_MS);
    assert.equal(served.join(''), 'abcdef');
  });

  it('come to all of a thousand whose attempts are too short for most of them', async () => {
    const links = 1_000;
    let up = 0;
    const loops = Array.from(
      { length: links },
      () =>
        new ConnectionLoop({
          clock,
          limits: { ...DEFAULT_LIMITS, attemptMs: 5_000 },
          onChange: () => undefined,
          onAttemptFailed: () => undefined,
          attempt: async (signal) => {
            await turns.take('waiting for a turn', signal);
            up += 1;
            return { lost: new Promise(() => undefined) };
          },
        }),
    );
    for (const loop of loops) loop.start();
    for (let at = 0; at < 3 * 60_000 && up < links; at += 250) await pass(250);
    assert.equal(up, links);
  });
});
