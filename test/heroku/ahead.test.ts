import assert from 'node:assert/strict';
import { askAhead, type HerokuAhead } from '../../src/heroku/ahead.ts';
import type { Dyno } from '../../src/heroku/answers.ts';
import type { HerokuClient } from '../../src/heroku/client.ts';
import { FirstAnswers } from '../../src/heroku/first-answers.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { FakePlatform } from './fake-platform.ts';
import { never } from './support.ts';

const dyno = (name: string, state = 'up'): Dyno => ({
  id: `id of ${name}`,
  name,
  type: name.split('.')[0] ?? '',
  state,
});
const way = (name: string) => ({
  tunnel_host: `${name}.example.com`,
  client_user: 'u',
  proxy_public_key: 'ssh-rsa AAAA',
});

describe('what is asked of Heroku ahead', () => {
  let platform: FakePlatform;
  /** Names of dynos with the key that was registered, and the app's variable of the add-on. */
  let registered: string[][];
  let refused: string[];

  beforeEach(() => {
    platform = new FakePlatform();
    platform.looks = [[dyno('web.1'), dyno('web.2'), dyno('worker.1'), dyno('run.7')]];
    registered = [];
    refused = [];
  });

  const ask = (...selectors: string[]): Promise<HerokuAhead> => {
    const client: HerokuClient = {
      platform,
      manager: (addonUrl) => ({
        async register(name, key) {
          registered.push([name, key, addonUrl ?? '']);
          if (refused.includes(name)) throw new EpmuxError('DYNO_NOT_RUNNING', 'no');
          return way(name);
        },
        list: () => assert.fail('nobody asked'),
      }),
    };
    return askAhead(client, selectors, never);
  };

  it('is what decides about the app, its dynos, and the way into each that is wanted and up', async () => {
    platform.looks = [[dyno('web.1'), dyno('web.2', 'crashed'), dyno('worker.1'), dyno('run.7')]];
    const { facts, dynos, keys, reservations } = await ask();
    assert.equal(facts.enabled, true);
    assert.equal(dynos.length, 4);
    assert.deepEqual(reservations, { 'web.1': way('web.1'), 'worker.1': way('worker.1') });
    assert.deepEqual(
      registered.map(([name, key]) => [name, key === keys.publicKey]),
      [
        ['web.1', true],
        ['worker.1', true],
      ],
    );
  });

  it('is no way into what was not selected, nor into more than five', async () => {
    assert.deepEqual(Object.keys((await ask('worker')).reservations), ['worker.1']);
    platform.looks = [Array.from({ length: 9 }, (_, index) => dyno(`web.${index + 1}`))];
    assert.equal(Object.keys((await ask()).reservations).length, 5);
  });

  it('goes to the service of the add-on of old where the app has that', async () => {
    platform.vars = { HEROKU_EXEC_URL: 'https://u:p@exec.example.com' };
    await ask('web.1');
    assert.equal(registered[0]?.[2], 'https://u:p@exec.example.com');
  });

  it('lets no key in where Exec leads nowhere', async () => {
    platform.enabled = false;
    const { facts, reservations } = await ask();
    assert.deepEqual([facts.enabled, reservations, registered], [false, {}, []]);
  });

  it('leaves out the dyno whose way is refused', async () => {
    refused = ['web.1'];
    assert.deepEqual(Object.keys((await ask('web')).reservations), ['web.2']);
  });

  it('is nothing where Heroku refuses to tell', async () => {
    platform.failures = { info: new EpmuxError('APP_NOT_FOUND', 'no such app') };
    await assert.rejects(ask(), { code: 'APP_NOT_FOUND' });
  });
});

describe('answers from before', () => {
  const ahead: HerokuAhead = {
    facts: {
      app: { name: 'my-app', generation: 'cedar', space: undefined, stack: undefined },
      enabled: true,
      buildpacks: undefined,
      configVars: {},
    },
    dynos: [dyno('web.1')],
    keys: { privateKey: 'private', publicKey: 'public' },
    reservations: { 'web.1': way('web.1') },
  };

  it('serve once each', () => {
    const first = new FirstAnswers(ahead, new ManualClock());
    assert.deepEqual(
      [first.facts(), first.dynos(), first.reservation('web.1'), first.reservation('web.2')],
      [ahead.facts, ahead.dynos, ahead.reservations['web.1'], undefined],
    );
    const again = [first.facts(), first.dynos(), first.reservation('web.1')];
    assert.deepEqual(again, [undefined, undefined, undefined]);
  });

  it('serve while they are new', () => {
    const clock = new ManualClock();
    const first = new FirstAnswers(ahead, clock);
    clock.advance(5_000);
    assert.equal(first.facts(), ahead.facts);
    clock.advance(1);
    assert.deepEqual([first.dynos(), first.reservation('web.1')], [undefined, undefined]);
  });

  it('are none where nobody asked', () => {
    const first = new FirstAnswers(undefined, new ManualClock());
    const answers = [first.facts(), first.dynos(), first.reservation('web.1')];
    assert.deepEqual(answers, [undefined, undefined, undefined]);
  });
});
