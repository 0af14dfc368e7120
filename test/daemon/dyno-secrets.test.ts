import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { DynoSecrets } from '../../src/daemon/dyno-secrets.ts';
import type { TunnelSecrets } from '../../src/daemon/tunnel-secrets.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { ManualClock } from '../support/manual-clock.ts';

type Variables = Readonly<Record<string, string>>;

interface Question {
  readonly resolve: (variables: Variables) => void;
  readonly reject: (error: EpmuxError) => void;
}

describe('the secret of a dyno that its app tells', () => {
  let clock: ManualClock;
  let secrets: DynoSecrets;
  /** One for each time that the config vars were asked for. */
  let asked: Question[];

  beforeEach(() => {
    clock = new ManualClock();
    asked = [];
    const none = { secret: async () => undefined, cookie: async () => undefined };
    const variables = (): Promise<Variables> =>
      new Promise((resolve, reject) => asked.push({ resolve, reject }));
    secrets = new DynoSecrets(none as unknown as TunnelSecrets, variables, clock, silentLogger);
  });

  /** Asks, and gives what was answered by the time that has passed. */
  async function ask(): Promise<{ answer: string | undefined | 'nothing yet' }> {
    const seen: { answer: string | undefined | 'nothing yet' } = { answer: 'nothing yet' };
    void secrets.secret().then((answer) => {
      seen.answer = answer;
    });
    await turn();
    return seen;
  }
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    await turn();
  };

  it('is waited for the first time, however long that takes', async () => {
    const seen = await ask();
    await pass(60_000);
    assert.equal(seen.answer, 'nothing yet');
    asked[0]?.resolve({ EPMUX_SECRET: ' of the app\n' });
    await turn();
    assert.equal(seen.answer, 'of the app');
  });

  it('is asked for again, and the known one counts when no answer comes within 2 s', async () => {
    await ask();
    asked[0]?.resolve({ EPMUX_SECRET: 'first' });
    await turn();
    const again = await ask();
    asked[1]?.resolve({ EPMUX_SECRET: 'second' });
    await turn();
    assert.equal(again.answer, 'second');
    const slow = await ask();
    await pass(1_999);
    assert.equal(slow.answer, 'nothing yet');
    await pass(1);
    assert.equal(slow.answer, 'second');
    const failing = await ask();
    asked[3]?.reject(new EpmuxError('HEROKU_UNAVAILABLE', 'out of order'));
    await turn();
    assert.equal(failing.answer, 'second');
  });

  it('can not be had where the first question fails', async () => {
    const failing = secrets.secret();
    await turn();
    asked[0]?.reject(new EpmuxError('HEROKU_UNAVAILABLE', 'out of order'));
    await assert.rejects(failing, { code: 'HEROKU_UNAVAILABLE' });
  });
});

describe('the cookie of a dyno that its app tells', () => {
  let clock: ManualClock;
  let secrets: DynoSecrets;
  let asked: Question[];

  beforeEach(() => {
    clock = new ManualClock();
    asked = [];
    const none = { cookie: async () => undefined };
    const variables = (): Promise<Variables> =>
      new Promise((resolve, reject) => asked.push({ resolve, reject }));
    secrets = new DynoSecrets(none as unknown as TunnelSecrets, variables, clock, silentLogger);
  });

  for (const [what, variables, cookie] of [
    ['', { RELEASE_COOKIE: 'of-the-app' }, 'of-the-app'],
    [', also where there is none', { PATH: '/bin' }, undefined],
  ] as const) {
    it(`is asked for once${what}`, async () => {
      const first = secrets.cookie();
      await turn();
      asked[0]?.resolve(variables);
      assert.equal(await first, cookie);
      assert.equal(await secrets.cookie(), cookie);
      assert.equal(asked.length, 1);
    });
  }

  it('is gone without where it does not come within 4 s, and counts when it does', async () => {
    const slow = secrets.cookie();
    await turn();
    clock.advance(4_000);
    assert.equal(await slow, undefined);
    asked[0]?.resolve({ RELEASE_COOKIE: 'late' });
    await turn();
    assert.equal(await secrets.cookie(), 'late');
  });

  it('is asked for again after a question that failed', async () => {
    const failed = secrets.cookie();
    await turn();
    asked[0]?.reject(new EpmuxError('HEROKU_UNAVAILABLE', 'out of order'));
    assert.equal(await failed, undefined);
    void secrets.cookie();
    await turn();
    assert.equal(asked.length, 2);
  });
});
