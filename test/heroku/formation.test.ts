import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Dyno } from '../../src/heroku/answers.ts';
import { formationOf, requireRunning } from '../../src/heroku/formation.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';

const dyno = (name: string, state = 'up'): Dyno => ({
  id: `id of ${name}`,
  name,
  type: name.split('.')[0] ?? '',
  state,
});
const NAMES = ['web.10', 'worker.1', 'web.2', 'web.1', 'run.4711', 'release.3', 'scheduler.8'];
const dynos = NAMES.map((name) => dyno(name));
const names = (selectors: string[]) => formationOf(dynos, selectors).wanted.map(({ name }) => name);

describe('the dynos that are meant', () => {
  it('without a selector are the formation, in its order, and no one-off dyno', () => {
    assert.deepEqual(names([]), ['web.1', 'web.2', 'web.10', 'worker.1']);
  });

  it('are the one that is named, and all of a type', () => {
    assert.deepEqual(names(['web.1']), ['web.1']);
    assert.deepEqual(names(['web']), ['web.1', 'web.2', 'web.10']);
  });

  it('are each meant once, however many selectors fit', () => {
    assert.deepEqual(names(['web', 'web.2', 'worker.1', 'web']), [
      'web.1',
      'web.2',
      'web.10',
      'worker.1',
    ]);
  });

  it('are one-off dynos when they are named', () => {
    assert.deepEqual(names(['run.4711']), ['run.4711']);
    assert.deepEqual(names(['scheduler']), ['scheduler.8']);
  });

  it('keep id and state, and only those up can be reached', () => {
    const list = ['up', 'starting', 'crashed', 'idle', 'down'].map((s, i) => dyno(`web.${i}`, s));
    const { wanted } = formationOf(list, []);
    assert.deepEqual(
      wanted.map(({ id, state, isUp }) => [id, state, isUp]),
      list.map(({ id, state }) => [id, state, state === 'up']),
    );
  });

  it('tell which selectors nothing fits', () => {
    assert.deepEqual(formationOf(dynos, ['web.3', 'web', 'clock', 'web.1.1']).unmatched, [
      'web.3',
      'clock',
      'web.1.1',
    ]);
  });

  it('are always a part of what runs, whatever is selected', () => {
    const name = fc
      .tuple(fc.constantFrom('web', 'worker', 'run'), fc.nat(3))
      .map((p) => p.join('.'));
    const selector = fc.oneof(name, fc.constantFrom('web', 'worker', 'run', ''));
    fc.assert(
      fc.property(fc.uniqueArray(name), fc.array(selector), (running, selectors) => {
        const all = running.map((each) => dyno(each));
        const { wanted, unmatched } = formationOf(all, selectors);
        const ids = wanted.map(({ id }) => id);
        assert.equal(new Set(ids).size, ids.length);
        assert.ok(ids.every((id) => all.some((each) => each.id === id)));
        for (const each of selectors) {
          const fitting = all.filter(({ name: n, type }) => n === each || type === each);
          assert.equal(unmatched.includes(each), fitting.length === 0);
          assert.ok(fitting.every(({ id }) => ids.includes(id)));
        }
      }),
      { verbose: true },
    );
  });
});

describe('dynos that have to run', () => {
  const failure = (list: readonly Dyno[], selectors: string[]): EpmuxError => {
    try {
      requireRunning('my-app', list, selectors);
    } catch (error) {
      assert.ok(error instanceof EpmuxError);
      return error;
    }
    return assert.fail('it did not throw');
  };

  it('are given when one of them is up', () => {
    const list = [dyno('web.1', 'crashed'), dyno('web.2')];
    assert.equal(requireRunning('my-app', list, []).length, 2);
  });

  it('are DYNO_NOT_FOUND when one that was named is not there, with what is', () => {
    const error = failure([dyno('web.2', 'crashed'), dyno('web.1')], ['web.3']);
    assert.equal(error.code, 'DYNO_NOT_FOUND');
    assert.match(error.message, /no dyno web\.3; it has web\.1 \(up\), web\.2 \(crashed\)/);
    assert.equal(error.hint, 'name one of them');
    const other = failure([dyno('web.1'), dyno('web.2')], ['worker.1']);
    assert.match(
      other.hint,
      /^name one of them, or start one: `heroku ps:scale worker=1 -a my-app`/,
    );
  });

  it('are no one-off dynos that are to be scaled, which Heroku refuses', () => {
    for (const list of [[dyno('web.1')], []]) {
      for (const selector of ['run.1234', 'release', 'scheduler.1']) {
        assert.doesNotMatch(failure(list, [selector]).hint, /scale/);
      }
    }
  });

  it('are DYNO_NOT_RUNNING when the app has none', () => {
    for (const [selectors, type] of [
      [[], 'web'],
      [['worker.1'], 'worker'],
    ] as const) {
      const error = failure([], [...selectors]);
      assert.equal(error.code, 'DYNO_NOT_RUNNING');
      assert.match(error.hint, new RegExp(`ps:scale ${type}=1`));
    }
    assert.equal(failure([dyno('run.1')], []).code, 'DYNO_NOT_RUNNING');
  });

  it('are DYNO_NOT_RUNNING when none of them is up, and the hint knows of a crash', () => {
    const crashed = failure([dyno('web.1', 'crashed'), dyno('worker.1')], ['web']);
    assert.equal(crashed.code, 'DYNO_NOT_RUNNING');
    assert.match(crashed.message, /web\.1 \(crashed\)/);
    assert.match(crashed.hint, /heroku logs/);
    assert.match(failure([dyno('web.1', 'starting')], []).hint, /heroku ps/);
  });
});
