import assert from 'node:assert/strict';
import { AskingCycle } from '../../src/session/asking-cycle.ts';

describe('the asking cycle', () => {
  function roundOf(cycle: AskingCycle, bytesPerMs: number): void {
    cycle.onRound(bytesPerMs, 100, 50);
  }

  /** Rounds in which more in flight brings more through; the rate at last. */
  function stretch(cycle: AskingCycle): number {
    let rate = 10;
    for (let n = 0; n < 40; n++) {
      if (cycle.gain > 1) rate *= 1.2;
      roundOf(cycle, rate);
    }
    return rate;
  }

  it('asks in two rounds of eight', () => {
    const cycle = new AskingCycle();
    const gains = Array.from({ length: 24 }, () => {
      const { gain } = cycle;
      roundOf(cycle, 10);
      return gain;
    });
    assert.equal(gains.filter((gain) => gain > 1).length, 6);
  });

  it('reckons with a longer round trip where more in flight brings more through', () => {
    const cycle = new AskingCycle();
    stretch(cycle);
    assert.ok(cycle.rttMs(50) > 60);
    assert.ok(cycle.rttMs(50) <= 100, 'never beyond the round trips seen');
  });

  it('falls back to the shortest one where it does not', () => {
    const cycle = new AskingCycle();
    const rate = stretch(cycle);
    for (let n = 0; n < 400; n++) roundOf(cycle, rate);
    assert.equal(cycle.rttMs(50), 50);
  });
});
