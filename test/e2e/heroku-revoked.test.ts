import assert from 'node:assert/strict';
import type { LinkStatus, TunnelStatus } from '../../src/daemon/control/api.ts';
import type { StandInApp } from '../support/heroku/app.ts';
import { namespacesMissing } from '../support/heroku/namespace.ts';
import { HerokuStandIn } from '../support/heroku/stand-in.ts';
import { Laptop } from '../support/laptop.ts';

const COOKIE = 'PRODUCTION';
const missing = namespacesMissing();

describe(`a key that is revoked while two dynos are up${missing === undefined ? '' : ` (left out: ${missing})`}`, function () {
  this.timeout(60_000);
  let heroku: HerokuStandIn;
  let app: StandInApp;
  let laptop: Laptop;

  before(async function () {
    if (missing !== undefined) return this.skip();
    heroku = await HerokuStandIn.start();
    app = heroku.addApp('my-app');
    app.boot = async (dyno) => void (await dyno.app());
    await Promise.all(['web.1', 'web.2'].map((name) => app.scaleUp(name, { cookie: COOKIE })));
    laptop = await Laptop.start();
    Object.assign(laptop.env, heroku.env, { EPMUX_COOKIE: COOKIE });
  });
  after(async () => {
    await laptop?.stop();
    await heroku?.stop();
  });

  const up = () => laptop.epmux(['up', '-a', 'my-app', '--agent', 'none']);
  const linkOf = (now: TunnelStatus, dyno: string): LinkStatus | undefined =>
    now.links.find((link) => link.dyno === dyno);

  it('fails the one that has to connect anew, says so, and leaves the other as it is', async () => {
    assert.equal((await up()).code, 0);
    const me = await laptop.node('me');
    const other = `app@${app.dynos.get('web.2')?.hostName}`;
    assert.equal(await me.eval(`net_adm:ping('${other}')`), 'pong');
    const connection = `[C || {N, C} <- erlang:system_info(dist_ctrl), N =:= '${other}']`;
    const before = await me.eval(connection);

    heroku.fail('', { status: 401 });
    app.dynos.get('web.1')?.path.reset();
    const now = await laptop.untilTunnel((each) => linkOf(each, 'web.1')?.state === 'failed');
    assert.equal(now.state, 'failed');
    assert.equal(now.lastError?.code, 'HEROKU_AUTH_REFUSED');
    assert.match(now.lastError.message, /^web\.1: .* refuses the key of HEROKU_API_KEY/);
    assert.equal(linkOf(now, 'web.2')?.state, 'up');
    assert.deepEqual(now.nodes.map(({ dyno, state }) => `${dyno} ${state}`).sort(), [
      'web.1 stale',
      'web.2 up',
    ]);
    const { stdout } = await laptop.epmux(['status', 'my-app']);
    assert.match(stdout, / {2}web\.1 +failed .*\n {2}web\.2 +up /);
    assert.match(stdout, /last error {2}web\.1: .*\(HEROKU_AUTH_REFUSED\)/);
    assert.equal(await me.eval(`rpc:call('${other}', erlang, node, [])`), `'${other}'`);
    assert.equal(await me.eval(connection), before);

    assert.equal(linkOf(now, 'web.1')?.lastError?.code, 'HEROKU_AUTH_REFUSED');
    assert.equal(linkOf(now, 'web.2')?.lastError, undefined);
    const again = await up();
    assert.equal(again.code, 0);
    assert.match(
      again.stderr,
      /warning: web\.1 is (failed|reconnecting): .*\(HEROKU_AUTH_REFUSED\)\nhint: .*unset it/,
    );

    heroku.heal();
    await up();
    const healed = await laptop.untilTunnel((each) => linkOf(each, 'web.1')?.state === 'up');
    assert.equal(healed.state, 'up');
    assert.equal(await me.eval(connection), before);
  });
});
