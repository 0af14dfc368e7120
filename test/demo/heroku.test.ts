import assert from 'node:assert/strict';
import { type Heroku, type ServedDyno, startHeroku } from '../../src/demo/heroku.ts';
import { makeKeyPair } from '../../src/demo/keys.ts';
import { herokuClient } from '../../src/heroku/client.ts';
import { preflight } from '../../src/heroku/preflight.ts';
import { herokuSettings } from '../../src/heroku/settings.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';

const never = new AbortController().signal;
const TOKEN = 'the-key-of-a-demo';

describe("the demo's stand-in for Heroku, to the client of src/heroku", () => {
  let heroku: Heroku;
  let dynos: ServedDyno[];
  let authorized: string[];
  let restarted: string[];

  beforeEach(async () => {
    [authorized, restarted] = [[], []];
    const ssh = {
      user: 'dyno',
      port: 2222,
      hostKey: makeKeyPair().publicKey,
      authorize: (key: string) => key !== '' && authorized.push(key) > 0,
    };
    dynos = [
      { id: 'a', name: 'web.1', state: 'up', ssh },
      { id: 'b', name: 'worker.1', state: 'starting', ssh: undefined },
    ];
    const app = {
      name: 'my-app',
      configVars: { EPMUX_SECRET: 'of the agents' },
      dynos: () => dynos,
      restartSoon: (name: string) => void restarted.push(name),
    };
    heroku = await startHeroku(app, TOKEN);
  });
  afterEach(() => heroku.close());

  function client(app = 'my-app', apiKey = TOKEN) {
    const settings = herokuSettings({ HEROKU_API_URL: heroku.url, HEROKU_EXEC_URL: heroku.url });
    const surroundings = {
      home: '/nowhere',
      proxy: undefined,
      clock: systemClock,
      logger: silentLogger,
    };
    return herokuClient({ app, settings, apiKey, ...surroundings });
  }

  it('is an app that Exec leads into, with config vars and dynos', async () => {
    const { platform } = client();
    const { facts, dynos } = await preflight(platform, never);
    assert.equal(facts.enabled, true);
    assert.deepEqual(facts.configVars, { EPMUX_SECRET: 'of the agents' });
    assert.deepEqual(dynos, [
      { id: 'a', name: 'web.1', type: 'web', state: 'up' },
      { id: 'b', name: 'worker.1', type: 'worker', state: 'starting' },
    ]);
    assert.deepEqual(await platform.buildpacks(never), []);
  });

  it('lets a key into a dyno that is up, and into no other', async () => {
    const manager = client().manager(undefined);
    const { publicKey } = makeKeyPair();
    const reservation = await manager.register('web.1', publicKey, never);
    assert.equal(reservation.tunnel_host, '127.0.0.1:2222');
    assert.equal(reservation.client_user, 'dyno');
    assert.equal(reservation.proxy_public_key, dynos[0]?.ssh?.hostKey);
    assert.deepEqual(authorized, [publicKey]);
    assert.deepEqual(await manager.list(never), ['web.1']);
    for (const name of ['worker.1', 'web.2']) {
      await assert.rejects(manager.register(name, publicKey, never), { code: 'DYNO_NOT_RUNNING' });
    }
    await assert.rejects(manager.register('web.1', '', never), /422/);
  });

  it('restarts the dynos that are meant', async () => {
    const restart = (path: string, method = 'DELETE', token = TOKEN) =>
      fetch(`${heroku.url}/apps/my-app/${path}`, {
        method,
        headers: { authorization: `Bearer ${token}` },
      }).then(({ status }) => status);
    assert.equal(await restart('dynos/web.1'), 202);
    assert.equal(await restart('dynos/web.9'), 404);
    assert.equal(await restart('dynos/web.1', 'DELETE', 'another'), 401);
    assert.deepEqual(restarted, ['web.1']);
    await client().platform.restartDynos(never);
    assert.deepEqual(restarted, ['web.1', 'web.1', 'worker.1']);
  });

  it('refuses another key, and knows no other app', async () => {
    const other = client('my-app', 'another');
    const refused = { code: 'HEROKU_AUTH_REFUSED' };
    await assert.rejects(other.platform.info(never), refused);
    await assert.rejects(other.manager(undefined).list(never), refused);
    await assert.rejects(client('other').platform.info(never), { code: 'APP_NOT_FOUND' });
  });

  it('breaks off what is too long or no request', async () => {
    const headers = { authorization: `Bearer ${TOKEN}` };
    const body = 'x'.repeat(1_000_000);
    const url = `${heroku.url}/apps/my-app/dynos/web.1`;
    await assert.rejects(fetch(url, { method: 'PUT', headers, body }));
    await assert.rejects(fetch(`${heroku.url}/%ff`, { headers }));
    assert.equal((await client().platform.info(never)).name, 'my-app');
  });
});
