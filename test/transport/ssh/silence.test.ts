import assert from 'node:assert/strict';
import { watchSilence } from '../../../src/transport/ssh/silence.ts';
import { ManualClock } from '../../support/manual-clock.ts';

describe('the watch on a silent connection', () => {
  let clock: ManualClock;
  let bytes: number;
  let died: number[];
  let cancel: () => void;

  beforeEach(() => {
    clock = new ManualClock();
    bytes = 0;
    died = [];
    cancel = watchSilence(
      () => bytes,
      clock,
      (seconds) => died.push(seconds),
    );
  });

  it('ends it after 9 s without a byte, once', () => {
    clock.advance(8_999);
    assert.deepEqual(died, []);
    clock.advance(1);
    assert.deepEqual(died, [9]);
    clock.advance(60_000);
    assert.deepEqual(died, [9]);
    assert.equal(clock.waiting, 0);
  });

  it('begins anew with each byte', () => {
    for (let second = 0; second < 100; second += 1) {
      if (second % 8 === 0) bytes += 1;
      clock.advance(1_000);
    }
    assert.deepEqual(died, []);
    clock.advance(9_000);
    assert.deepEqual(died, [9]);
  });

  it('asks nothing more once it is cancelled', () => {
    clock.advance(5_000);
    cancel();
    clock.advance(60_000);
    assert.deepEqual(died, []);
    assert.equal(clock.waiting, 0);
  });
});
