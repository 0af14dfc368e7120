import assert from 'node:assert/strict';
import { AgentProcess } from '../support/agent-process.ts';
import { type ErlangNode, randomCookie } from '../support/erlang.ts';
import type { StandInApp } from '../support/heroku/app.ts';
import { namespacesMissing } from '../support/heroku/namespace.ts';
import { HerokuStandIn } from '../support/heroku/stand-in.ts';
import { Laptop } from '../support/laptop.ts';

const missing = namespacesMissing();
const title = 'the production cookie of an app at Heroku';

describe(`${title}${missing === undefined ? '' : ` (left out: ${missing})`}`, function () {
  this.timeout(60_000);
  const cookie = randomCookie();
  let heroku: HerokuStandIn;
  let app: StandInApp;
  let laptop: Laptop;
  let node: ErlangNode;
  let me: ErlangNode;

  before(async function () {
    if (missing !== undefined) return this.skip();
    heroku = await HerokuStandIn.start();
    app = heroku.addApp('my-app');
    app.boot = async (dyno) => {
      node = await dyno.app('app', { flags: ['-setcookie', cookie] });
    };
    await app.scaleUp('web.1');
    laptop = await Laptop.start();
    Object.assign(laptop.env, heroku.env);
  });

  after(async () => {
    await laptop?.stop();
    await heroku?.stop();
  });

  afterEach(async () => {
    await me?.stop();
    await laptop?.run('down', '--all');
  });

  /** Of a local node that knows its user's cookie only. */
  async function pingFromHere(): Promise<string> {
    me = await laptop.node('me');
    return me.eval(`net_adm:ping('${node.name}')`);
  }

  it('is found by an agent there, and nobody here knows it', async () => {
    const dyno = app.dynos.get('web.1');
    assert(dyno !== undefined);
    const secret = 'the secret that the config vars hold';
    app.configVars['EPMUX_SECRET'] = secret;
    const agent = await AgentProcess.start([], {
      env: { EPMUX_SECRET: secret, HOME: dyno.home },
      wrap: (words) => [...dyno.prefix, ...words],
    });
    await agent.said('stderr', /listening/);
    await laptop.run('up', '-a', 'my-app', '--agent', 'require');
    assert.match(await laptop.run('ping'), /^pong/);
    assert.equal(await pingFromHere(), 'pong');
    assert.equal((await laptop.run('logs')).includes(cookie), false);
    assert.equal(agent.stderr.includes(cookie), false);
    assert.equal(node.log, '', 'no wrong cookie was shown to the node');
    await agent.kill();
  });

  it('comes from the config vars where there is no agent', async () => {
    app.configVars['RELEASE_COOKIE'] = cookie;
    await laptop.run('up', '-a', 'my-app', '--agent', 'none');
    assert.match(await laptop.run('ping'), /^pong/);
    assert.equal(await pingFromHere(), 'pong');
    assert.equal((await laptop.run('logs')).includes(cookie), false);
    delete app.configVars['RELEASE_COOKIE'];
  });

  it('is asked for where nothing finds it', async () => {
    await laptop.run('up', '-a', 'my-app', '--agent', 'none');
    const { code, stdout } = await laptop.epmux(['ping']);
    assert.equal(code, 5);
    assert.match(stdout, /refused the cookie; .* this user's own, for none .*COOKIE_REFUSED/);
    assert.equal(await pingFromHere(), 'pang');
  });
});
