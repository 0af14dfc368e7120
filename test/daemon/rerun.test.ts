import assert from 'node:assert/strict';
import { Rerun } from '../../src/daemon/rerun.ts';

describe('work of which one run goes on at a time', () => {
  let seen: number[];
  let wanted: number;
  let going: number;

  beforeEach(() => {
    seen = [];
    wanted = 0;
    going = 0;
  });

  const look = async (rest: () => Promise<void>): Promise<void> => {
    going += 1;
    assert.equal(going, 1);
    seen.push(wanted);
    await rest();
    going -= 1;
  };
  const ask = (rerun: Rerun, what: number): Promise<void> => {
    wanted = what;
    return rerun.ask();
  };

  it('sees what each asked for, also in the turn in which a run is over', async () => {
    const rerun = new Rerun(() => look(async () => {}));
    const first = ask(rerun, 1);
    const second = ask(rerun, 2);
    void first.then(() => ask(rerun, 3));
    await Promise.all([first, second]);
    assert.equal(seen.at(-1), 3);
    await ask(rerun, 4);
    assert.deepEqual([seen, rerun.running], [[1, 2, 3, 4], undefined]);
  });

  it('runs once more for all who asked during a run', async () => {
    let finish = (): void => {};
    const rest = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const rerun = new Rerun(() => look(() => rest));
    const asked = [1, 2, 3].map((what) => ask(rerun, what));
    finish();
    await Promise.all(asked);
    assert.deepEqual(seen, [1, 3]);
  });

  it('fails as the work does, and runs again when it is asked to', async () => {
    let fails = true;
    const rerun = new Rerun(async () => {
      if (fails) throw new Error('no');
      seen.push(1);
    });
    await assert.rejects(rerun.ask(), /no/);
    fails = false;
    await rerun.ask();
    assert.deepEqual(seen, [1]);
  });
});
