import assert from 'node:assert/strict';
import type { StandInApp } from '../support/heroku/app.ts';
import { namespacesMissing } from '../support/heroku/namespace.ts';
import { HerokuStandIn } from '../support/heroku/stand-in.ts';
import { Laptop, type Run } from '../support/laptop.ts';

const missing = namespacesMissing();

describe(`what keeps a tunnel from an app at Heroku${missing === undefined ? '' : ` (left out: ${missing})`}`, function () {
  this.timeout(60_000);
  let heroku: HerokuStandIn;
  let app: StandInApp;
  let laptop: Laptop;

  before(async function () {
    if (missing !== undefined) return this.skip();
    heroku = await HerokuStandIn.start();
    app = heroku.addApp('my-app');
    heroku.addApp('empty');
    app.boot = async (dyno) => void (await dyno.app());
    await app.scaleUp('web.1');
    laptop = await Laptop.start();
    Object.assign(laptop.env, heroku.env);
  });
  afterEach(() => heroku?.heal());
  after(async () => {
    await laptop?.stop();
    await heroku?.stop();
  });

  const up = (args: readonly string[], env: Record<string, string> = {}): Promise<Run> =>
    laptop.epmux(['up', '--agent', 'none', ...args], env);
  const assertRefused = (run: Run, exit: number, code: string, text: RegExp): void => {
    assert.equal(run.code, exit, run.stderr);
    assert.match(run.stderr, new RegExp(`\\(${code}\\)\\nhint: `));
    assert.match(run.stderr, text);
    assert.doesNotMatch(run.stderr, /\n {4}at /);
    assert.equal(run.stderr.includes(heroku.token), false);
  };

  it('is told each by its own code', async () => {
    assertRefused(await up(['-a', 'nope']), 4, 'APP_NOT_FOUND', /the app nope/);
    assertRefused(await up(['-a', 'empty']), 3, 'DYNO_NOT_RUNNING', /no dyno of empty/);
    const noDyno = await up(['-a', 'my-app', '-d', 'web.7']);
    assertRefused(noDyno, 4, 'DYNO_NOT_FOUND', /no dyno web\.7; it has web\.1 \(up\)/);
    const wrongKey = await up(['-a', 'my-app'], { HEROKU_API_KEY: 'wrong' });
    assertRefused(wrongKey, 5, 'HEROKU_AUTH_REFUSED', /HEROKU_API_KEY/);
    const noKey = await up(['-a', 'my-app'], { HEROKU_API_KEY: '' });
    assertRefused(noKey, 5, 'HEROKU_AUTH_MISSING', /heroku login/);
    const { tunnels } = await laptop.status();
    assert.deepEqual(tunnels, [], 'nothing is left of them');
  });

  it('may be the API or the exec manager, answering 503 for ever', async () => {
    heroku.fail('GET /apps/my-app', { status: 503 });
    assertRefused(await up(['-a', 'my-app']), 1, 'HEROKU_UNAVAILABLE', /503/);
    heroku.heal();
    heroku.fail('PUT /api/v2/web.1', { status: 503 });
    assertRefused(await up(['-a', 'my-app']), 1, 'HEROKU_UNAVAILABLE', /web\.1/);
  });

  it('may be a dyno that has crashed', async () => {
    const dyno = app.dynos.get('web.1');
    assert.ok(dyno);
    dyno.state = 'crashed';
    assertRefused(await up(['-a', 'my-app']), 3, 'DYNO_NOT_RUNNING', /web\.1 \(crashed\)/);
    dyno.state = 'up';
  });

  it('is Exec that is off, which nobody switches on unasked', async () => {
    app.execEnabled = false;
    const asked = heroku.requests.length;
    assertRefused(await up(['-a', 'my-app']), 2, 'EXEC_DISABLED', /ALL/);
    const changes = heroku.requests.slice(asked).filter((request) => !request.startsWith('GET'));
    assert.deepEqual(changes, []);
    assert.equal(app.execEnabled, false);
  });

  it('is Exec no more once --yes has switched it on and all dynos are back', async () => {
    app.execEnabled = false;
    const before = app.dynos.get('web.1')?.id;
    const { code, stdout, stderr } = await up(['-a', 'my-app', '--yes']);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /enabling Heroku Exec\n(.*\n)*- waiting for the dynos: 1 of 1 are back/);
    assert.notEqual(app.dynos.get('web.1')?.id, before);
    assert.match(stdout, new RegExp(`app@${app.dynos.get('web.1')?.hostName}`));
  });

  it('that comes later, such as a revoked key, leaves what is up as it is', async () => {
    heroku.fail('GET /apps/my-app', { status: 401 });
    const { code, stderr } = await up(['-a', 'my-app']);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /my-app is up already/);
    await laptop.untilTunnel(({ state, lastError }) => {
      assert.equal(state, 'up');
      return lastError?.code === 'HEROKU_AUTH_REFUSED';
    });
  });
});
