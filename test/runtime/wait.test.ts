import assert from 'node:assert/strict';
import { getEventListeners, once } from 'node:events';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { deferred, sleep, within } from '../../src/runtime/wait.ts';
import { ManualClock } from '../support/manual-clock.ts';

describe('a deferred', () => {
  it('is settled once, from outside', async () => {
    const first = deferred<string>();
    first.resolve('one');
    first.resolve('two');
    first.reject(new Error('late'));
    assert.equal(await first.promise, 'one');
    const second = deferred();
    second.reject(new Error('broken'));
    second.resolve();
    await assert.rejects(second.promise, /broken/);
  });
});

describe('a sleep', () => {
  it('lasts as long as was asked for', async () => {
    const clock = new ManualClock();
    let isOver = false;
    const slept = sleep(clock, 100).then(() => {
      isOver = true;
    });
    clock.advance(99);
    await Promise.resolve();
    assert.equal(isOver, false);
    clock.advance(1);
    await slept;
  });

  it('ends with the abort, and leaves no timer and no listener', async () => {
    const clock = new ManualClock();
    const { signal, abort } = controller();
    const slept = sleep(clock, 100, signal, 'waiting for the dyno');
    abort();
    await assert.rejects(slept, {
      code: 'INTERRUPTED',
      message: 'waiting for the dyno was given up',
    });
    assert.deepEqual([clock.waiting, getEventListeners(signal, 'abort')], [0, []]);
    const reason = new EpmuxError('TUNNEL_DOWN', 'taken down');
    await assert.rejects(sleep(clock, 100, AbortSignal.abort(reason)), reason);
    assert.equal(clock.waiting, 0);
  });

  it('leaves no listener when it is over', async () => {
    const clock = new ManualClock();
    const { signal } = controller();
    const slept = sleep(clock, 100, signal);
    clock.advance(100);
    await slept;
    assert.deepEqual(getEventListeners(signal, 'abort'), []);
  });
});

describe('work within a bound', () => {
  it('gives what it comes to, and leaves no timer', async () => {
    const clock = new ManualClock();
    assert.equal(await within(clock, 100, Promise.resolve('done')), 'done');
    const broken = new Error('broken');
    await assert.rejects(within(clock, 100, Promise.reject(broken)), broken);
    assert.equal(clock.waiting, 0);
  });

  it('is not waited for any longer, and may fail then without a word', async () => {
    const clock = new ManualClock();
    const work = deferred<string>();
    const waiting = within(clock, 100, work.promise);
    clock.advance(100);
    assert.equal(await waiting, undefined);
    const unhandled = once(process, 'unhandledRejection', { signal: AbortSignal.timeout(20) });
    work.reject(new Error('broken'));
    await assert.rejects(unhandled, { name: 'AbortError' });
  });
});

function controller() {
  const abort = new AbortController();
  return { signal: abort.signal, abort: () => abort.abort() };
}
