import assert from 'node:assert/strict';
import type { LinkState } from '../../src/daemon/control/api.ts';
import { OverallState, type Seen } from '../../src/daemon/overall-state.ts';

const SEEN: Seen = { isClosed: false, links: [], dynos: 'up' };

describe('the state of a tunnel', () => {
  it('follows its links, and remembers that one was up', () => {
    const steps: readonly [seen: Partial<Seen>, state: LinkState][] = [
      [{ links: ['connecting'] }, 'connecting'],
      [{ dynos: 'failed' }, 'failed'],
      [{ dynos: 'reconnecting' }, 'connecting'],
      [{ links: ['connecting', 'up'], dynos: 'failed' }, 'up'],
      [{ links: ['up', 'failed'] }, 'failed'],
      [{ links: ['reconnecting'] }, 'reconnecting'],
      [{}, 'reconnecting'],
      [{ isClosed: true, links: ['up'] }, 'down'],
    ];
    const state = new OverallState(1);
    assert.equal(state.value, 'connecting');
    for (const [seen, expected] of steps) {
      state.onChange({ ...SEEN, ...seen }, 2);
      assert.equal(state.value, expected, JSON.stringify(seen));
    }
  });

  it('knows since when', () => {
    const state = new OverallState(1);
    state.onChange({ ...SEEN, links: ['connecting'] }, 2);
    assert.equal(state.since, 1);
    state.onChange({ ...SEEN, links: ['up'] }, 3);
    state.onChange({ ...SEEN, links: ['up', 'connecting'] }, 4);
    assert.equal(state.since, 3);
  });
});
