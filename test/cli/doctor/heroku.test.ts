import assert from 'node:assert/strict';
import type { DoctorDocument } from '../../../src/cli/doctor/document.ts';
import { makeSshKeys } from '../../../src/heroku/keys.ts';
import { CliHome } from '../../support/cli.ts';
import type { AppOptions, StandInApp } from '../../support/heroku/app.ts';
import { namespacesMissing } from '../../support/heroku/namespace.ts';
import { type Failure, HerokuStandIn } from '../../support/heroku/stand-in.ts';

const missing = namespacesMissing();
const left = missing === undefined ? '' : ` (left out: ${missing})`;

/** The epmd of nobody. */
const EPMD_PORT = '1';

async function examine(
  home: CliHome,
  heroku: HerokuStandIn,
  args: readonly string[],
  env: Record<string, string> = {},
) {
  const { code, stdout, stderr } = await home.run(['doctor', '--json', ...args], {
    env: { ...heroku.env, ERL_EPMD_PORT: EPMD_PORT, ...env },
  });
  assert.equal(stderr, '');
  assert.ok(!stdout.includes(heroku.token));
  const { checks } = JSON.parse(stdout) as DoctorDocument;
  return {
    exit: code,
    checks,
    bad: checks
      .filter(({ state }) => state !== 'ok')
      .map((check) =>
        check.state === 'broken'
          ? `broken ${check.id} ${check.code}`
          : `${check.state} ${check.id}`,
      ),
    last: checks.at(-1)?.id,
    detail: (id: string) => checks.find((check) => check.id === id)?.detail ?? '',
  };
}

describe(`epmux doctor, on the way into dynos${left}`, function () {
  this.timeout(60_000);
  let home: CliHome;
  let heroku: HerokuStandIn;
  let app: StandInApp;

  before(async function () {
    if (missing !== undefined) this.skip();
    home = await CliHome.make();
    heroku = await HerokuStandIn.start();
    app = heroku.addApp('my-app', { configVars: { RELEASE_COOKIE: 'production' } });
    app.boot = async (dyno) => {
      await dyno.app('app', { flags: ['-kernel', 'inet_dist_use_interface', '{127,0,0,1}'] });
    };
    await app.scaleUp('web.1', { cookie: 'production' });
    await app.scaleUp('worker.1', { cookie: 'production' });
  });
  afterEach(() => {
    if (missing !== undefined) return;
    heroku.heal();
    app.execEnabled = true;
    for (const dyno of app.dynos.values()) dyno.state = 'up';
  });
  after(async () => {
    if (missing !== undefined) return;
    await heroku.stop();
    await home.remove();
  });

  const look = (...args: string[]) => examine(home, heroku, args);

  it('finds every dyno in order', async () => {
    const found = await look('-a', 'my-app');
    assert.deepEqual(found.bad, []);
    assert.equal(found.exit, 0);
    assert.equal(found.detail('credentials'), 'from HEROKU_API_KEY');
    assert.equal(found.detail('dynos'), 'web.1 (up), worker.1 (up)');
    for (const name of ['web.1', 'worker.1']) {
      const dyno = app.dynos.get(name);
      assert.equal(found.detail(`${name}/nodes`), `app@${dyno?.hostName}`);
      assert.match(found.detail(`${name}/cookie`), /config vars/);
      assert.match(found.detail(`${name}/host-key`), /exec manager/);
    }
    assert.equal(found.detail('same-names'), 'every node has a name of its own');
    assert.ok(!JSON.stringify(found.checks).includes('production'));
  });

  it('looks into the dynos that are named alone', async () => {
    const found = await look('-a', 'my-app', '-d', 'web');
    assert.equal(found.detail('dynos'), 'web.1 (up)');
    assert.ok(found.checks.every(({ id }) => !id.startsWith('worker')));
    assert.equal((await look('-a', 'my-app', '-d', 'clock')).last, 'dynos');
  });

  it('warns of a dyno that has crashed beside others', async () => {
    const worker = app.dynos.get('worker.1');
    assert.ok(worker);
    worker.state = 'crashed';
    const found = await look('-a', 'my-app');
    assert.deepEqual(found.bad, ['warning dynos']);
    assert.equal(found.exit, 0);
    const alone = await look('-a', 'my-app', '-d', 'worker');
    assert.deepEqual([alone.bad, alone.exit], [['broken dynos DYNO_NOT_RUNNING'], 3]);
  });

  it('tells a cookie that the nodes refuse', async () => {
    app.configVars['RELEASE_COOKIE'] = 'another';
    const found = await look('-a', 'my-app', '-d', 'web.1');
    app.configVars['RELEASE_COOKIE'] = 'production';
    assert.deepEqual([found.bad, found.exit], [['broken web.1/cookie COOKIE_REFUSED'], 5]);
  });

  it('tells a host key that is not the one of the dyno', async () => {
    const dyno = app.dynos.get('web.1');
    assert.ok(dyno);
    const line = dyno.sshd.knownHostsLine;
    const { publicKey } = await makeSshKeys();
    const show = (value: string) =>
      Object.defineProperty(dyno.sshd, 'knownHostsLine', { configurable: true, value });
    show(`host ${publicKey}`);
    const found = await look('-a', 'my-app', '-d', 'web.1');
    show(line);
    assert.deepEqual(found.bad, ['broken web.1/host-key HOST_KEY_MISMATCH']);
    assert.deepEqual([found.exit, found.last], [5, 'web.1/host-key']);
  });

  it('tells an SSH server that does not answer', async () => {
    const dyno = app.dynos.get('web.1');
    await dyno?.sshd.down();
    const found = await look('-a', 'my-app', '-d', 'web.1');
    await dyno?.sshd.up();
    assert.deepEqual(found.bad, ['broken web.1/ssh CONNECT_FAILED']);
  });

  const failures: [what: string, route: string, failure: Failure, bad: string, exit: number][] = [
    [
      'the manager is out of order',
      'GET /api/v2',
      { status: 503 },
      'broken exec-manager HEROKU_UNAVAILABLE',
      1,
    ],
    [
      'the manager lets nobody in',
      'PUT /api/v2',
      { status: 503 },
      'broken web.1/ssh HEROKU_UNAVAILABLE',
      1,
    ],
    ['the platform forbids it', 'GET /apps', { status: 403 }, 'broken app HEROKU_FORBIDDEN', 5],
    ['the platform breaks off', 'GET /apps', { drop: true }, 'broken app HEROKU_UNAVAILABLE', 1],
  ];
  for (const [what, route, failure, bad, exit] of failures) {
    it(`tells that ${what}`, async () => {
      heroku.fail(route, failure);
      const found = await look('-a', 'my-app', '-d', 'web.1');
      assert.deepEqual([found.bad, found.exit], [[bad], exit]);
    });
  }

  it('changes nothing', () => {
    const changes = heroku.requests.filter((route) => !/^(GET|PUT \/api\/v\d)/.test(route));
    assert.deepEqual(changes, []);
  });
});

describe('epmux doctor, before any dyno', function () {
  this.timeout(30_000);
  let home: CliHome;
  let heroku: HerokuStandIn;

  before(async () => {
    home = await CliHome.make();
    heroku = await HerokuStandIn.start();
  });
  after(async () => {
    await heroku.stop();
    await home.remove();
  });

  const apps: [name: string, options: AppOptions, bad: string, exit: number][] = [
    ['fir', { generation: 'fir' }, 'broken generation EXEC_UNSUPPORTED', 1],
    ['shield', { space: { shield: true } }, 'broken space EXEC_UNSUPPORTED', 1],
    ['space', { space: { shield: false } }, 'broken buildpack EXEC_NEEDS_BUILDPACK', 1],
    ['off', { execEnabled: false }, 'broken feature EXEC_DISABLED', 2],
    ['empty', {}, 'broken dynos DYNO_NOT_RUNNING', 3],
  ];
  for (const [name, options, bad, exit] of apps) {
    it(`stops at an app that Exec does not lead into: ${name}`, async () => {
      heroku.addApp(name, options);
      const found = await examine(home, heroku, ['-a', name]);
      assert.deepEqual([found.bad, found.exit], [[bad], exit]);
      assert.ok(bad.includes(found.last ?? '-'));
    });
  }

  it('warns of a container', async () => {
    heroku.addApp('image', { stack: 'container' });
    const found = await examine(home, heroku, ['-a', 'image']);
    assert.deepEqual(found.bad, ['warning stack', 'broken dynos DYNO_NOT_RUNNING']);
  });

  it('tells a key that Heroku does not know, one that is not there, and an app that is not', async () => {
    heroku.addApp('app');
    const wrong = await examine(home, heroku, ['-a', 'app'], { HEROKU_API_KEY: 'no-such-key' });
    assert.deepEqual([wrong.bad, wrong.exit], [['broken credentials HEROKU_AUTH_REFUSED'], 5]);
    assert.ok(!JSON.stringify(wrong.checks).includes('no-such-key'));
    const none = await examine(home, heroku, ['-a', 'app'], { HEROKU_API_KEY: '' });
    assert.deepEqual([none.bad, none.exit], [['broken credentials HEROKU_AUTH_MISSING'], 5]);
    const noApp = await examine(home, heroku, ['-a', 'no-app']);
    assert.deepEqual([noApp.bad, noApp.exit], [['broken app APP_NOT_FOUND'], 4]);
  });

  it('tells a variable that can not be read', async () => {
    const found = await examine(home, heroku, ['-a', 'app'], { HEROKU_HEADERS: '{' });
    assert.deepEqual([found.bad, found.exit], [['broken heroku CONFIG_INVALID'], 2]);
    for (const variable of [
      { HTTPS_PROXY: 'foo://x' },
      { HEROKU_API_KEY: 'a b' },
      { EPMUX_COOKIE: 'a\nb' },
    ]) {
      const other = await examine(home, heroku, ['-a', 'app'], variable);
      assert.deepEqual([other.bad, other.exit], [['broken variables CONFIG_INVALID'], 2]);
      assert.equal(other.last, 'variables');
      assert.match(other.detail('variables'), new RegExp(Object.keys(variable).join()));
    }
  });
});
