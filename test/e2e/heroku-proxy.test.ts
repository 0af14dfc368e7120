import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { freePort } from '../support/erlang.ts';
import { HerokuStandIn } from '../support/heroku/stand-in.ts';
import { HttpProxy } from '../support/http-proxy.ts';
import { Laptop, type Run } from '../support/laptop.ts';
import { SocksServer } from '../support/socks-server.ts';

const PASSWORD = 's3cret-of-the-proxy';

/** The app has no dyno: that an up learns so shows that its calls have reached Heroku. */
describe('calls to Heroku from behind a proxy', function () {
  this.timeout(60_000);
  let heroku: HerokuStandIn;
  let laptop: Laptop;
  let http: HttpProxy;
  let socks: SocksServer;

  before(async () => {
    heroku = await HerokuStandIn.start();
    heroku.addApp('empty');
    laptop = await Laptop.start();
    Object.assign(laptop.env, heroku.env);
    http = await HttpProxy.start({ credentials: `me:${PASSWORD}` });
    socks = await SocksServer.start({ credentials: `me:${PASSWORD}` });
  });
  after(async () => {
    await laptop?.stop();
    await heroku?.stop();
    http?.stop();
    socks?.stop();
  });
  beforeEach(() => {
    http.asked.length = 0;
    socks.asked.length = 0;
    heroku.requests.length = 0;
  });

  const up = (env: Record<string, string>, ...args: string[]): Promise<Run> =>
    laptop.epmux(['up', '-a', 'empty', ...args], env);
  const assertReached = ({ code, stderr }: Run): void => {
    assert.match(stderr, /no dyno of empty .*\(DYNO_NOT_RUNNING\)/);
    assert.equal(code, 3);
  };

  it('go through the one that HTTPS_PROXY names, all of them', async () => {
    assertReached(await up({ HTTPS_PROXY: http.url }));
    const { host } = new URL(heroku.url);
    assert.ok(heroku.requests.length >= 4);
    assert.deepEqual(http.asked, Array(heroku.requests.length).fill(host));
    assert.deepEqual(socks.asked, []);
  });

  it('go through the SOCKS proxy that ALL_PROXY names', async () => {
    assertReached(await up({ ALL_PROXY: socks.url }));
    assert.equal(socks.asked.length, heroku.requests.length);
  });

  it('go through that of --via, whatever the environment says', async () => {
    assertReached(await up({ HTTPS_PROXY: http.url, NO_PROXY: '*' }, '--via', socks.url));
    assert.equal(socks.asked.length, heroku.requests.length);
    assert.deepEqual(http.asked, []);
  });

  it('go straight where NO_PROXY says so, or nothing names a proxy any more', async () => {
    assertReached(await up({ HTTPS_PROXY: http.url, NO_PROXY: 'example.com,127.0.0.1' }));
    assertReached(await up({}));
    assert.deepEqual([http.asked, socks.asked], [[], []]);
  });

  it('go through it for exec and doctor too', async () => {
    const env = { https_proxy: http.url };
    assertReached(await laptop.epmux(['exec', '-a', 'empty', '--', 'true'], env));
    const ofExec = http.asked.length;
    assert.equal(ofExec, heroku.requests.length);
    const { stdout } = await laptop.epmux(['doctor', '-a', 'empty'], env);
    assert.ok(stdout.includes(`through the proxy ${http.host} (https_proxy)`), stdout);
    assert.ok(http.asked.length > ofExec);
    assert.equal(http.asked.length, heroku.requests.length);
  });

  it('name the one that is not there', async () => {
    const at = `127.0.0.1:${await freePort()}`;
    const { code, stderr } = await up({ HTTPS_PROXY: `http://me:${PASSWORD}@${at}` });
    assert.equal(code, 1);
    const text = `could not be asked through the proxy ${at} (HTTPS_PROXY): it refused the connection (HEROKU_UNAVAILABLE)`;
    assert.ok(stderr.includes(text), stderr);
    assert.match(stderr, /hint: .*NO_PROXY/);
  });

  it('are not begun with one that can not be read', async () => {
    const { code, stderr } = await up({ HTTPS_PROXY: `ftp://me:${PASSWORD}@proxy` });
    assert.equal(code, 2);
    assert.match(stderr, /HTTPS_PROXY takes .*CONFIG_INVALID/);
    assert.doesNotMatch(stderr, /reaching the daemon/);
  });

  it('show its password nowhere', async () => {
    const log = await laptop.run('logs');
    assert.match(log, /empty/);
    const { stdout } = await laptop.epmux(['status', '--json']);
    for (const text of [log, stdout]) assert.equal(text.includes(PASSWORD), false);
    const files = ['-r', PASSWORD, laptop.env['EPMUX_HOME'] ?? ''];
    assert.throws(() => execFileSync('grep', files), { status: 1 });
  });
});
