import assert from 'node:assert/strict';
import { PushRest } from '../../../src/daemon/links/push-rest.ts';
import { EpmuxError } from '../../../src/protocol/errors.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const REST_MS = 300_000;

describe('the rest from pushing', () => {
  let clock: ManualClock;
  let rest: PushRest;
  const gone = new EpmuxError('AGENT_MISSING', 'nothing listens there');

  beforeEach(() => {
    clock = new ManualClock();
    rest = new PushRest(clock);
  });

  const lives = (ms: number, error = gone): void => {
    rest.onPushed();
    clock.advance(ms);
    rest.onUseless(error);
  };

  const why = (): string | undefined => rest.why?.message;

  it('comes with the second agent in a row that is gone within a minute, and then with each', () => {
    lives(2_000);
    assert.equal(why(), undefined);
    lives(59_999);
    assert.equal(why(), 'the one pushed last was gone after 60 s: nothing listens there');
    clock.advance(REST_MS - 1);
    assert.notEqual(why(), undefined);
    clock.advance(1);
    assert.equal(why(), undefined);
    lives(1_000);
    assert.notEqual(why(), undefined);
  });

  it('does not come with those that lived for longer', () => {
    for (let life = 0; life < 3; life += 1) lives(60_000);
    assert.equal(why(), undefined);
    lives(1_000);
    assert.equal(why(), undefined);
  });

  it('comes with the first one that is of no use, for it stays there', () => {
    lives(100, new EpmuxError('VERSION_MISMATCH', 'it speaks 2.0'));
    assert.match(why() ?? '', /of no use: it speaks 2\.0/);
  });

  it('does not come with one that another worker has pushed', () => {
    rest.onUseless(gone);
    rest.onUseless(gone);
    assert.equal(why(), undefined);
  });
});
