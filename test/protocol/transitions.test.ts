import assert from 'node:assert/strict';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { type Transitions, transition } from '../../src/protocol/transitions.ts';

const DOOR: Transitions<'open' | 'shut' | 'walled up'> = {
  open: ['shut'],
  shut: ['open', 'walled up'],
  'walled up': [],
};

describe('transition', () => {
  it('gives the state that may come next', () => {
    assert.equal(transition(DOOR, 'a door', 'shut', 'walled up'), 'walled up');
  });

  it('throws INTERNAL for one that may not, and for the same again', () => {
    for (const to of ['walled up', 'open'] as const) {
      assert.throws(
        () => transition(DOOR, 'a door', 'open', to),
        (error) => EpmuxError.is(error, 'INTERNAL') && error.message.includes(`open to ${to}`),
      );
    }
  });
});
