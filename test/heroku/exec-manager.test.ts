import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ExecManagerOptions, execManager } from '../../src/heroku/exec-manager.ts';
import { readExtraCa } from '../../src/heroku/extra-ca.ts';
import type { HttpPorts } from '../../src/heroku/http-call.ts';
import { trustIn } from '../../src/heroku/trust.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { makeCertificate } from '../support/heroku/certificate.ts';
import { fixedKey, never, ports, ScriptedServer } from './support.ts';

const reservation = {
  tunnel_host: 'tunnel.example.com',
  client_user: 'u123',
  proxy_public_key: 'ssh-rsa AAAAB3NzaC1yc2E=',
};

describe('the exec manager', () => {
  let server: ScriptedServer;
  /** Over TLS, as that of the add-on has to be. */
  let addon: ScriptedServer;
  let folder: string;
  let http: HttpPorts;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'epmux-manager-'));
    const { caFile, ...own } = makeCertificate(folder);
    http = { ...ports(), trust: trustIn(readExtraCa(caFile)) };
    server = await ScriptedServer.start();
    addon = await ScriptedServer.start(own);
  });
  after(async () => {
    await server.stop();
    await addon.stop();
    rmSync(folder, { recursive: true });
  });

  const manager = (changes: Partial<ExecManagerOptions> = {}) =>
    execManager({
      app: 'my-app',
      settings: { execUrl: `${server.url}/ignored`, headers: { 'x-own': 'header' } },
      addonUrl: undefined,
      credentials: fixedKey('KEY'),
      http,
      ...changes,
    });
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

  it('lets a key into a dyno, as app and API key', async () => {
    server.answer({ json: { ...reservation, dyno_ip: '10.0.0.1', more: 1 } });
    assert.deepEqual(await manager().register('web.1', 'ssh-rsa AAAA', never), reservation);
    const [asked] = server.asked;
    assert.deepEqual([asked?.method, asked?.path], ['PUT', '/api/v2/web.1']);
    assert.deepEqual(JSON.parse(asked?.body ?? ''), { client_key: 'ssh-rsa AAAA' });
    assert.equal(asked?.headers.authorization, basic('my-app:KEY'));
    assert.equal(asked?.headers['x-own'], 'header');
  });

  it('lists the dynos that it reaches', async () => {
    server.answer({ json: [{ dyno_name: 'web.1', x: 1 }, { dyno_name: 'worker.1' }] });
    assert.deepEqual(await manager().list(never), ['web.1', 'worker.1']);
    assert.deepEqual(server.asked[0]?.path, '/api/v2');
  });

  it('is the old one, with the URL’s own credentials, for an app with the add-on', async () => {
    addon.answer({ json: reservation });
    const addonUrl = addon.url.replace('//', '//us%40er:p%3Ass@');
    await manager({ addonUrl }).register('web.1', 'k', never);
    assert.equal(addon.asked[0]?.path, '/api/v1/web.1');
    assert.equal(addon.asked[0]?.headers.authorization, basic('us@er:p:ss'));
  });

  it('of the add-on gets no header of HEROKU_HEADERS: whoever may set config vars names its host', async () => {
    addon.answer({ json: [] });
    await manager({ addonUrl: addon.url.replace('//', '//u:p@') }).list(never);
    assert.equal(addon.asked[0]?.headers['x-own'], undefined);
  });

  it('says whose credentials it refuses, and shows none', async () => {
    server.answer({ status: 401, json: { error: `no ${'KEY'}: ${basic('my-app:KEY').slice(6)}` } });
    await assert.rejects(manager().list(never), (error) => {
      assert.ok(error instanceof EpmuxError);
      assert.equal(error.code, 'HEROKU_AUTH_REFUSED');
      assert.match(error.message, /refuses the key of HEROKU_API_KEY \(no …: …\)/);
      return true;
    });
    addon.answer({ status: 401, json: {} });
    const addonUrl = addon.url.replace('//', '//user:hush@');
    await assert.rejects(manager({ addonUrl }).list(never), (error) => {
      assert.ok(error instanceof EpmuxError);
      assert.match(error.message, /the config var HEROKU_EXEC_URL of my-app/);
      assert.doesNotMatch(error.message, /hush/);
      assert.match(error.hint, /addons:destroy heroku-exec -a my-app.*epmux up -a my-app --yes/);
      return true;
    });
  });

  it('knows no dyno that does not run', async () => {
    server.answer({ status: 404, json: {} });
    await assert.rejects(manager().register('web.1', 'k', never), (error) => {
      assert.ok(error instanceof EpmuxError);
      assert.equal(error.code, 'DYNO_NOT_RUNNING');
      assert.match(error.message, /web\.1 of my-app: .* since before Exec was switched on$/);
      assert.match(error.hint, /if it is up, `heroku ps:restart web\.1 -a my-app`/);
      return true;
    });
  });

  it('is asked again while it is out of order: registering twice does no harm', async () => {
    const broken = { status: 503, json: {} };
    server.answer(broken, broken, broken, { json: reservation });
    assert.deepEqual(await manager().register('web.1', 'k', never), reservation);
    assert.equal(server.asked.length, 4);
  });

  const unusable: [name: string, value: unknown][] = [
    ['tunnel_host', ''],
    ['tunnel_host', 'a b'],
    ['tunnel_host', 'a/b'],
    ['client_user', '-oProxyCommand=x'],
    ['client_user', undefined],
    ['proxy_public_key', 'AAAAB3NzaC1yc2E='],
    ['proxy_public_key', 'ssh-rsa'],
    ['proxy_public_key', 7],
  ];
  for (const [name, value] of unusable) {
    it(`is not believed with ${name} ${JSON.stringify(value)}`, async () => {
      server.answer({ json: { ...reservation, [name]: value } });
      await assert.rejects(manager().register('web.1', 'k', never), (error) => {
        assert.ok(error instanceof EpmuxError);
        assert.equal(error.code, 'HEROKU_ANSWER_INVALID');
        assert.match(error.message, new RegExp(name));
        return true;
      });
    });
  }

  it('may not be where a key would travel in clear text', () => {
    for (const changes of [
      { addonUrl: 'http://user:hush@example.com' },
      { addonUrl: 'http://user:hush@127.0.0.1:8080' },
      { settings: { execUrl: 'http://example.com', headers: {} } },
    ]) {
      assert.throws(() => manager(changes), { code: 'CONFIG_INVALID' });
    }
  });

  it('may not have a user or password that can’t be read, and shows neither', () => {
    for (const login of ['user:hush%', 'user:hu%ffsh', 'hush%zz:pass']) {
      const make = () => manager({ addonUrl: `https://${login}@example.com` });
      assert.throws(make, (error) => {
        assert.ok(error instanceof EpmuxError);
        assert.equal(error.code, 'CONFIG_INVALID');
        assert.doesNotMatch(`${error.stack} ${error.hint} ${String(error.cause)}`, /hu(sh|%)/);
        return true;
      });
    }
  });
});
