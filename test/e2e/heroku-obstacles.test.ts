import assert from 'node:assert/strict';
import type { AppOptions, StandInApp } from '../support/heroku/app.ts';
import type { StandInDyno } from '../support/heroku/dyno.ts';
import { namespacesMissing } from '../support/heroku/namespace.ts';
import { assertFailed } from '../support/heroku/refusals.ts';
import { HerokuStandIn } from '../support/heroku/stand-in.ts';
import { Laptop, type Run } from '../support/laptop.ts';

const FIRST = ['GET /apps/shaken/dynos', 'PUT /api/v2/web.1'];
const missing = namespacesMissing();

describe(`an app at Heroku${missing === undefined ? '' : ` (left out: ${missing})`}`, function () {
  this.timeout(60_000);
  let heroku: HerokuStandIn;
  let app: StandInApp;
  let dyno: StandInDyno;
  let laptop: Laptop;
  const shared: StandInApp[] = [];

  before(async function () {
    if (missing !== undefined) return this.skip();
    heroku = await HerokuStandIn.start();
    app = heroku.addApp('my-app');
    app.boot = async (each) => void (await each.app());
    dyno = await app.scaleUp('web.1');
    laptop = await Laptop.start();
    Object.assign(laptop.env, heroku.env);
  });
  afterEach(() => heroku?.heal());
  after(async () => {
    await laptop?.stop();
    for (const each of shared) each.dynos.clear();
    await heroku?.stop();
  });

  /**
   * An app of its own in front of the same dyno: one whose tunnel a failed test left up does no
   * harm to others.
   */
  const addApp = (name: string, options: AppOptions = {}): StandInApp => {
    const added = heroku.addApp(name, options);
    added.dynos.set('web.1', dyno);
    shared.push(added);
    return added;
  };
  const up = (...args: readonly string[]): Promise<Run> =>
    laptop.epmux(['up', '--agent', 'none', ...args]);
  const assertUp = ({ code, stdout, stderr }: Run): void => {
    assert.equal(code, 0, stderr);
    assert.match(stdout, new RegExp(`app@${dyno.hostName}`));
  };

  it('that Exec does not lead into is refused with what leads on: Fir, Shield, no buildpack', async () => {
    heroku.addApp('fir', { generation: 'fir' });
    heroku.addApp('shield', { space: { shield: true } });
    heroku.addApp('private', { space: { shield: false } });
    const runs = ['fir', 'shield', 'private'].map((name) => up('-a', name));
    const [fir, shield, lacking] = (await Promise.all(runs)) as [Run, Run, Run];
    assertFailed(fir, 1, 'EXEC_UNSUPPORTED', /Fir app.* \(.*\nhint: `heroku run:inside .*-a fir`/);
    assertFailed(shield, 1, 'EXEC_UNSUPPORTED', /Shield space space/);
    const commands = /buildpacks:add -i 1 heroku\/exec -a private/;
    assertFailed(lacking, 1, 'EXEC_NEEDS_BUILDPACK', commands);
    const ofFir = heroku.requests.filter((request) => request.includes('/apps/fir'));
    const asked = ['', '/config-vars', '/dynos', '/features/runtime-heroku-exec'];
    const expected = asked.map((path) => `GET /apps/fir${path}`);
    assert.deepEqual(ofFir.toSorted(), expected, 'asked all at once, and nothing more');
  });

  it('that runs a container image comes up, with a warning', async () => {
    addApp('image', { stack: 'container' });
    const run = await up('-a', 'image');
    assertUp(run);
    assert.match(run.stderr, /container image: Heroku Exec needs bash, curl and openssh-server/);
    await laptop.run('down', 'image');
  });

  it('with the add-on of old comes up by its service and credentials, with a warning', async () => {
    const addon = addApp('addon');
    addon.configVars['HEROKU_EXEC_URL'] = heroku.url.replace('//', '//addon:old-password@');
    heroku.fail('PUT /api/v1', { status: 401 });
    const refused = await up('-a', 'addon');
    const text = /HEROKU_EXEC_URL of addon .*\nhint: .*addons:destroy heroku-exec -a addon/;
    assertFailed(refused, 5, 'HEROKU_AUTH_REFUSED', text);

    heroku.heal();
    const registered = (): number =>
      heroku.requests.filter((request) => request === 'PUT /api/v1/web.1').length;
    const before = registered();
    const run = await up('-a', 'addon');
    assertUp(run);
    assert.match(run.stderr, /addons:destroy heroku-exec -a addon/);
    assert.equal(registered() - before, 1);
    await laptop.run('down', 'addon');
    const said = refused.stderr + run.stderr + (await laptop.run('logs'));
    assert.equal(said.includes('old-password'), false);
  });

  it('comes up although the API and the exec manager answer 503 at first', async () => {
    addApp('shaken');
    const asked = (): readonly string[] => heroku.requests.filter((each) => FIRST.includes(each));
    const before = asked().length;
    for (const route of FIRST) heroku.fail(route, { status: 503, times: 3 });
    assertUp(await up('-a', 'shaken'));
    assert.ok(asked().length - before >= 8, 'each was asked four times');
    await laptop.run('down', 'shaken');
  });

  it('with an SSH port that is closed is told as such', async () => {
    heroku.tunnelHost = () => '127.0.0.1:1';
    const run = await up('-a', 'my-app');
    heroku.tunnelHost = (port) => `127.0.0.1:${port}`;
    assertFailed(run, 3, 'CONNECT_FAILED', /web\.1 of my-app .*\nhint: a firewall may/);
  });

  it('with a key other than the exec manager told is refused, with both fingerprints', async () => {
    const other = heroku.addApp('other');
    const impostor = await other.scaleUp('web.1');
    heroku.tunnelHost = () => `127.0.0.1:${impostor.path.port}`;
    const run = await up('-a', 'my-app');
    heroku.tunnelHost = (port) => `127.0.0.1:${port}`;
    assertFailed(
      run,
      5,
      'HOST_KEY_MISMATCH',
      /hint: nothing was sent; web\.1 may have just restarted/,
    );
    assert.ok(run.stderr.includes(impostor.sshd.fingerprint), run.stderr);
    assert.ok(run.stderr.includes(dyno.sshd.fingerprint), run.stderr);
  });

  it('whose key is revoked stays up until it has to connect anew, and then says why it can not', async () => {
    assertUp(await up('-a', 'my-app'));
    heroku.fail('', { status: 401 });
    await up('-a', 'my-app');
    const told = await laptop.untilTunnel(
      ({ lastError }) => lastError?.code === 'HEROKU_AUTH_REFUSED',
      'my-app',
    );
    assert.equal(told.state, 'up');
    assert.match(await laptop.run('status'), /HEROKU_AUTH_REFUSED/);

    dyno.path.reset();
    const failed = await laptop.untilTunnel(({ state }) => state === 'failed', 'my-app');
    assert.equal(failed.lastError?.code, 'HEROKU_AUTH_REFUSED');
    assertFailed(await up('-a', 'my-app'), 5, 'HEROKU_AUTH_REFUSED', /HEROKU_API_KEY/);

    heroku.heal();
    const back = await up('-a', 'my-app');
    assertUp(back);
    assert.doesNotMatch(back.stderr, /up already/);
  });
});
