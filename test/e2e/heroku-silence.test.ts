import assert from 'node:assert/strict';
import { namespacesMissing } from '../support/heroku/namespace.ts';
import { assertFailed } from '../support/heroku/refusals.ts';
import { HerokuStandIn } from '../support/heroku/stand-in.ts';
import { Laptop, type Run } from '../support/laptop.ts';

const missing = namespacesMissing();

describe(`silence on the way to an app at Heroku${missing === undefined ? '' : ` (left out: ${missing})`}`, function () {
  this.timeout(60_000);
  let heroku: HerokuStandIn;
  let laptop: Laptop;
  let api: Run;
  let manager: Run;
  let ssh: Run;

  // All three at once: each waits for its real limit.
  before(async function () {
    if (missing !== undefined) return this.skip();
    heroku = await HerokuStandIn.start();
    const app = heroku.addApp('my-app');
    heroku.addApp('mute');
    const web = await app.scaleUp('web.1');
    web.path.blackhole();
    await app.scaleUp('worker.1');
    heroku.fail('GET /apps/mute', { silence: true });
    heroku.fail('PUT /api/v2/worker.1', { silence: true });
    laptop = await Laptop.start();
    Object.assign(laptop.env, heroku.env);
    const up = (...args: readonly string[]): Promise<Run> =>
      laptop.epmux(['up', '--agent', 'none', ...args]);
    [api, manager, ssh] = await Promise.all([
      up('-a', 'mute'),
      up('worker', '-a', 'my-app', '-d', 'worker'),
      up('web', '-a', 'my-app', '-d', 'web'),
    ]);
  });
  after(async () => {
    await laptop?.stop();
    await heroku?.stop();
  });

  it('of the API ends after its limit', () => {
    assertFailed(api, 1, 'HEROKU_UNAVAILABLE', /did not answer within 10 s .*the app mute/);
  });

  it('of the exec manager ends after its limit', () => {
    const text = /did not answer within 15 s .*a way into worker\.1 of my-app/;
    assertFailed(manager, 1, 'HEROKU_UNAVAILABLE', text);
  });

  it('of the SSH server ends after its limit', () => {
    assertFailed(ssh, 3, 'CONNECT_FAILED', /web\.1 of my-app.*within 15 s/);
  });

  it('leaves no tunnel behind', async () => {
    const { tunnels } = await laptop.status();
    assert.deepEqual(tunnels, []);
  });
});
