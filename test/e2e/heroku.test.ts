import assert from 'node:assert/strict';
import type { NodeStatus, TunnelStatus } from '../../src/daemon/control/api.ts';
import type { ErlangNode } from '../support/erlang.ts';
import type { StandInApp } from '../support/heroku/app.ts';
import { namespacesMissing } from '../support/heroku/namespace.ts';
import { HerokuStandIn } from '../support/heroku/stand-in.ts';
import { Laptop } from '../support/laptop.ts';

const COOKIE = 'PRODUCTION';
const missing = namespacesMissing();

describe(`a tunnel to an app at Heroku${missing === undefined ? '' : ` (left out: ${missing})`}`, function () {
  this.timeout(60_000);
  let heroku: HerokuStandIn;
  let app: StandInApp;
  let laptop: Laptop;
  let me: ErlangNode;
  /** What Heroku was asked by the first `up`. */
  let asked: string[];

  before(async function () {
    if (missing !== undefined) return this.skip();
    heroku = await HerokuStandIn.start();
    app = heroku.addApp('my-app');
    app.boot = async (dyno) => void (await dyno.app('app'));
    await Promise.all(
      ['web.1', 'web.2', 'worker.1'].map((name) => app.scaleUp(name, { cookie: COOKIE })),
    );
    laptop = await Laptop.start();
    Object.assign(laptop.env, heroku.env, { EPMUX_COOKIE: COOKIE });
    await laptop.run('up', '-a', 'my-app', '--agent', 'none');
    asked = [...heroku.requests];
    me = await laptop.node('me');
  });

  after(async () => {
    await laptop?.stop();
    await heroku?.stop();
  });

  const nameOf = (dyno: string): string => `app@${app.dynos.get(dyno)?.hostName}`;
  const nodeOf = (now: TunnelStatus, dyno: string): NodeStatus | undefined =>
    now.nodes.find((node) => node.dyno === dyno);
  const isBack = (dyno: string) => (now: TunnelStatus) =>
    nodeOf(now, dyno)?.name === nameOf(dyno) &&
    now.links.some((link) => link.dyno === dyno && link.state === 'up');

  it('has a link and a node for each dyno, all of them by one name on their own hosts', async () => {
    const now = await laptop.tunnel();
    assert.equal(now.name, 'my-app');
    assert.equal(now.target, 'heroku://my-app');
    assert.deepEqual(
      now.links.map(({ dyno, state, mode }) => [dyno, state, mode]),
      ['web.1', 'web.2', 'worker.1'].map((dyno) => [dyno, 'up', 'direct']),
    );
    assert.deepEqual(
      now.nodes.map(({ dyno, name }) => [dyno, name]).sort(),
      ['web.1', 'web.2', 'worker.1'].map((dyno) => [dyno, nameOf(dyno)]),
    );
    assert.equal(JSON.stringify(now).includes(heroku.token), false);
  });

  it('was asked of Heroku once, by the command while the daemon started', () => {
    const questions = ['', '/config-vars', '/dynos', '/features/runtime-heroku-exec'];
    assert.deepEqual(asked.sort(), [
      ...questions.map((question) => `GET /apps/my-app${question}`),
      ...['web.1', 'web.2', 'worker.1'].map((dyno) => `PUT /api/v2/${dyno}`),
    ]);
  });

  it('leads one local node to all of them', async () => {
    for (const dyno of ['web.1', 'web.2', 'worker.1']) {
      const name = nameOf(dyno);
      assert.equal(await me.eval(`rpc:call('${name}', erlang, node, [])`), `'${name}'`);
    }
  });

  it('finds a node by its dyno', async () => {
    assert.match(await laptop.run('ping', 'web.2'), new RegExp(`${nameOf('web.2')}.*pong|pong`));
    const { code, stderr } = await laptop.epmux(['ping', 'web.3']);
    assert.equal(code, 4);
    assert.match(stderr, /NODE_NOT_FOUND/);
  });

  it('is followed through a restart of one dyno, which the other two do not notice', async () => {
    const old = nameOf('web.1');
    const others = `[N || N <- nodes(hidden) ++ nodes(), N =/= '${old}']`;
    const before = await me.eval(`lists:sort(${others})`);
    await app.restart('web.1');
    const down = await me.eval(`lists:member('${old}', nodes(hidden) ++ nodes())`);
    assert.equal(down, 'false');
    const now = await laptop.untilTunnel(isBack('web.1'));
    assert.equal(now.state, 'up');
    assert.equal(now.reconnects, 1);
    assert.match(now.lastError?.message ?? '', /web\.1/);
    assert.equal(await me.eval(`lists:sort(${others})`), before);
    // A running node reads the hosts file again within 5 s.
    while ((await me.eval(`net_adm:ping('${nameOf('web.1')}')`)) !== 'pong');
  });

  it('takes up a dyno that is scaled up, and drops one that is scaled down', async () => {
    await app.scaleUp('worker.2', { cookie: COOKIE });
    // Looked for every 15 s while all is well; another up looks at once.
    await laptop.run('up', '-a', 'my-app', '--agent', 'none');
    await laptop.untilTunnel(isBack('worker.2'));
    await app.scaleDown('worker.2');
    const now = await laptop.untilTunnel(
      ({ links }) => !links.some(({ dyno }) => dyno === 'worker.2'),
    );
    assert.equal(nodeOf(now, 'worker.2'), undefined);
    assert.equal(now.state, 'up');
    assert.match(now.lastError?.message ?? '', /worker\.2 is gone/);
  });

  it('shows a dyno that has crashed, and says so', async () => {
    const dyno = app.dynos.get('web.2');
    assert.ok(dyno);
    dyno.state = 'crashed';
    await laptop.run('up', '-a', 'my-app', '--agent', 'none');
    const now = await laptop.untilTunnel(({ links }) =>
      links.some(({ state }) => state === 'down'),
    );
    assert.equal(now.links.find((link) => link.dyno === 'web.2')?.state, 'down');
    assert.deepEqual(
      [now.lastError?.code, now.lastError?.message],
      ['DYNO_NOT_RUNNING', 'web.2 is crashed'],
    );
    assert.equal(now.state, 'up');
    dyno.state = 'up';
    await laptop.untilTunnel(isBack('web.2'));
  });

  it('asks Heroku no more than it says', () => {
    const polls = heroku.requests.filter((request) => request === 'GET /apps/my-app/dynos');
    assert.ok(polls.length < 60, `${polls.length} looks`);
  });
});
