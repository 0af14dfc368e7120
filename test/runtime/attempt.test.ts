import assert from 'node:assert/strict';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { attempt, type Settle, unlessAborted } from '../../src/runtime/attempt.ts';
import { ManualClock } from '../support/manual-clock.ts';

describe('an attempt', () => {
  let clock: ManualClock;
  let abort: AbortController;
  let undone: EpmuxError[];
  let settle: Settle<string>;

  beforeEach(() => {
    clock = new ManualClock();
    abort = new AbortController();
    undone = [];
  });

  const begin = (at: (settle: Settle<string>) => void = () => {}): Promise<string> =>
    attempt<string>(
      {
        what: 'a step',
        signal: abort.signal,
        clock,
        limitMs: 1_000,
        late: () => new EpmuxError('TIMEOUT', 'too late'),
      },
      (given) => {
        settle = given;
        at(given);
        return (error) => undone.push(error);
      },
    );
  const broken = new EpmuxError('CONNECT_FAILED', 'broken');

  it('gives what succeeds, undoes nothing and leaves no timer', async () => {
    const step = begin();
    settle.succeed('done');
    settle.fail(broken);
    abort.abort();
    clock.advance(5_000);
    assert.equal(await step, 'done');
    assert.deepEqual([undone, clock.waiting], [[], 0]);
  });

  it('undoes once what fails, by the first of all reasons', async () => {
    const step = begin();
    settle.fail(broken);
    clock.advance(5_000);
    abort.abort();
    settle.succeed('done');
    await assert.rejects(step, broken);
    assert.deepEqual([undone, clock.waiting], [[broken], 0]);
  });

  it('undoes also what fails while it begins', async () => {
    await assert.rejects(
      begin((given) => given.fail(broken)),
      broken,
    );
    assert.deepEqual(undone, [broken]);
  });

  it('fails as its beginning does, and leaves no timer', async () => {
    const fault = new TypeError('no such port');
    const step = begin(() => {
      throw fault;
    });
    await assert.rejects(step, fault);
    assert.equal(clock.waiting, 0);
  });

  it('leaves alone what succeeds while it begins', async () => {
    assert.equal(await begin((given) => given.succeed('done')), 'done');
    assert.deepEqual([undone, clock.waiting], [[], 0]);
  });

  it('has a limit', async () => {
    const step = begin();
    clock.advance(999);
    assert.equal(undone.length, 0);
    clock.advance(1);
    await assert.rejects(step, { code: 'TIMEOUT' });
    assert.equal(undone.length, 1);
  });

  it('ends when it is told to, for the reason given where that is an error of ours', async () => {
    const step = begin();
    abort.abort('because');
    await assert.rejects(step, { code: 'INTERRUPTED', message: 'a step was given up' });
    assert.equal(undone.length, 1);
    abort = new AbortController();
    const other = begin();
    abort.abort(broken);
    await assert.rejects(other, broken);
  });

  it('needs no signal, and nothing to undo', async () => {
    const late = new EpmuxError('TIMEOUT', 'too late');
    const step = attempt(
      { what: 'a step', clock, limitMs: 1_000, late: () => late },
      () => undefined,
    );
    clock.advance(1_000);
    await assert.rejects(step, late);
  });

  it('does not begin once it was told to end', async () => {
    abort.abort();
    let begun = false;
    await assert.rejects(
      begin(() => {
        begun = true;
      }),
      { code: 'INTERRUPTED' },
    );
    assert.deepEqual([begun, clock.waiting], [false, 0]);
  });
});

describe('work that an abort leaves alone', () => {
  const broken = new EpmuxError('CONNECT_FAILED', 'broken');
  const never = new Promise<never>(() => {});

  it('gives what it comes to', async () => {
    const { signal } = new AbortController();
    assert.equal(await unlessAborted(Promise.resolve('done'), 'a step', signal), 'done');
    await assert.rejects(unlessAborted(Promise.reject(broken), 'a step', signal), broken);
  });

  it('is given up with the reason of the abort, before or meanwhile', async () => {
    const late = new EpmuxError('TIMEOUT', 'too late');
    const abort = new AbortController();
    const waiting = unlessAborted(never, 'a step', abort.signal);
    abort.abort(late);
    await assert.rejects(waiting, late);
    await assert.rejects(unlessAborted(never, 'a step', abort.signal), late);
    await assert.rejects(unlessAborted(never, 'a step', AbortSignal.abort()), {
      code: 'INTERRUPTED',
      message: 'a step was given up',
    });
  });
});
