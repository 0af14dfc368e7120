import assert from 'node:assert/strict';
import { DynoEnd, type DynoEndOptions } from '../../src/daemon/dyno-end.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { DEFAULT_LIMITS } from '../support/default-limits.ts';
import { ManualClock } from '../support/manual-clock.ts';

type Variables = Readonly<Record<string, string>>;

/** A dyno's end that nothing is asked of but its cookie. */
function endWith(given: string | undefined, variables: () => Promise<Variables>): DynoEnd {
  const parts = { limits: DEFAULT_LIMITS, clock: new ManualClock(), logger: silentLogger };
  const options = {
    dyno: { id: '1', name: 'web.1', state: 'up' },
    spec: { name: 'prod', agent: 'none' },
    secrets: { cookie: async () => given },
    parts,
    variables,
    handlers: {},
  };
  return new DynoEnd(options as unknown as DynoEndOptions);
}

describe('the production cookie that the daemon translates with', () => {
  it('is the one given, and nobody is asked for another', async () => {
    const end = endWith('given', () => Promise.reject(new Error('asked')));
    assert.equal(await end.productionCookie(), 'given');
  });

  it('is the one in the config vars of the app, asked for once', async () => {
    let asked = 0;
    const end = endWith(undefined, async () => {
      asked += 1;
      return { DATABASE_URL: 'x', RELEASE_COOKIE: 'of the app' };
    });
    assert.equal(await end.productionCookie(), 'of the app');
    assert.equal(await end.productionCookie(), 'of the app');
    assert.equal(asked, 1);
  });

  it('is none where there is none, or where they can not be asked', async () => {
    assert.equal(await endWith(undefined, async () => ({})).productionCookie(), undefined);
    const failing = () => Promise.reject(new EpmuxError('HEROKU_UNAVAILABLE', 'down'));
    assert.equal(await endWith(undefined, failing).productionCookie(), undefined);
  });
});
