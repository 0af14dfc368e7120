import assert from 'node:assert/strict';
import { namespacesMissing } from '../support/heroku/namespace.ts';
import { HerokuStandIn } from '../support/heroku/stand-in.ts';
import { Laptop } from '../support/laptop.ts';

const missing = namespacesMissing();

describe(`two dynos whose nodes have one full name${missing === undefined ? '' : ` (left out: ${missing})`}`, function () {
  this.timeout(60_000);
  let heroku: HerokuStandIn;
  let laptop: Laptop;

  before(async function () {
    if (missing !== undefined) return this.skip();
    heroku = await HerokuStandIn.start();
    const app = heroku.addApp('my-app');
    app.boot = async (dyno) => {
      Object.defineProperty(dyno.erlang, 'hostName', { value: 'same' });
      await dyno.app('app');
    };
    await app.scaleUp('web.1', { cookie: 'PRODUCTION' });
    await app.scaleUp('web.2', { cookie: 'ANOTHER' });
    laptop = await Laptop.start();
    Object.assign(laptop.env, heroku.env, { EPMUX_COOKIE: 'PRODUCTION' });
    await laptop.run('up', '-a', 'my-app', '--agent', 'none');
    await laptop.untilTunnel(({ nodes }) => nodes.length === 2);
  });
  after(async () => {
    await laptop?.stop();
    await heroku?.stop();
  });

  it('are pinged each for itself', async () => {
    assert.match(await laptop.run('ping', 'web.1'), /^pong {2}app@same/);
    const { code, stdout } = await laptop.epmux(['ping', 'web.2/app']);
    assert.equal(code, 5);
    assert.match(stdout, /^pang {2}app@same .*\(COOKIE_REFUSED\)/);
  });

  it('are both looked at by doctor', async () => {
    const { code, stdout } = await laptop.epmux(['doctor', 'my-app']);
    assert.equal(code, 5, stdout);
    assert.match(stdout, /pang: app@same/);
  });

  it('are told apart where one of them is to be chosen', async () => {
    const { code, stderr } = await laptop.epmux(['remsh', 'app']);
    assert.equal(code, 4);
    assert.match(stderr, /app@same \(web\.1\), app@same \(web\.2\) \(NODE_AMBIGUOUS\)/);
  });

  it('are led to by the name that the first of them has, and the other says so', async () => {
    const { nodes } = await laptop.tunnel();
    const second = nodes.find(({ unreachable }) => unreachable !== undefined);
    const first = second?.dyno === 'web.1' ? 'web.2' : 'web.1';
    const { code, stderr } = await laptop.epmux(['remsh', second?.dyno ?? '']);
    assert.equal(code, 3);
    const why = `${first} of my-app was first to have the name app for same`;
    assert.ok(stderr.includes(`app@same can't be reached: ${why} (NODE_UNREACHABLE)`), stderr);
  });
});
