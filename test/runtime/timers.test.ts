import assert from 'node:assert/strict';
import { DeadlineTimer } from '../../src/runtime/deadline-timer.ts';
import { SleepWatch } from '../../src/runtime/sleep-watch.ts';
import { ManualClock } from '../support/manual-clock.ts';

describe('the timer of a deadline that moves', () => {
  function timed(deadlines: { at: number }) {
    const clock = new ManualClock();
    const fired: number[] = [];
    const timer: DeadlineTimer = new DeadlineTimer(
      clock,
      () => deadlines.at,
      () => {
        fired.push(clock.now());
        timer.arm();
      },
    );
    return { clock, fired, timer };
  }

  it('is one timer, however often it is armed, and follows a deadline that moved on', () => {
    const deadline = { at: 100 };
    const { clock, fired, timer } = timed(deadline);
    timer.arm();
    for (let at = 101; at < 200; at++) {
      deadline.at = at;
      timer.arm();
    }
    assert.equal(clock.waiting, 1);
    clock.advance(100);
    assert.deepEqual(fired, [100]);
    clock.advance(98);
    assert.deepEqual(fired, [100]);
    deadline.at = Number.POSITIVE_INFINITY;
    clock.advance(1_000);
    assert.deepEqual(fired, [100, 199]);
    assert.equal(clock.waiting, 0);
  });

  it('fires earlier when the deadline does', () => {
    const deadline = { at: 100 };
    const { clock, fired, timer } = timed(deadline);
    timer.arm();
    deadline.at = 10;
    timer.arm();
    assert.equal(clock.waiting, 1);
    deadline.at = 10;
    clock.advance(9);
    assert.deepEqual(fired, []);
    timer.cancel();
    clock.advance(1_000);
    assert.deepEqual(fired, []);
  });
});

describe('the watch for sleep', () => {
  it('notices that the wall clock went on alone, once', () => {
    const clock = new ManualClock();
    const watch = new SleepWatch(clock);
    clock.advance(60_000);
    assert.equal(watch.slept(), false);
    clock.sleep(3_600_000);
    assert.equal(watch.slept(), true);
    assert.equal(watch.slept(), false);
  });

  it('takes no small correction and no step back for sleep', () => {
    const clock = new ManualClock();
    const watch = new SleepWatch(clock);
    clock.sleep(4_000);
    assert.equal(watch.slept(), false);
    clock.sleep(-100_000);
    assert.equal(watch.slept(), false);
    clock.sleep(6_000);
    assert.equal(watch.slept(), true);
  });
});
