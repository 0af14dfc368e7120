import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';
import { readExtraCa } from '../../src/heroku/extra-ca.ts';
import { callJson } from '../../src/heroku/http.ts';
import type { HttpPorts } from '../../src/heroku/http-call.ts';
import { proxySettings } from '../../src/heroku/proxy.ts';
import { trustIn } from '../../src/heroku/trust.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { freePort } from '../support/erlang.ts';
import { makeCertificate } from '../support/heroku/certificate.ts';
import { HttpProxy } from '../support/http-proxy.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { SocksServer } from '../support/socks-server.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { HurriedClock, never, ports } from './support.ts';

const PASSWORD = 's3cret-of-the-proxy';

/** What else succeeds is in test/e2e/heroku-proxy.test.ts. */
describe('a call to Heroku through a proxy', () => {
  const stops: (() => void)[] = [];
  afterEach(() => {
    for (const stop of stops.splice(0)) stop();
  });
  const started = <T extends { stop(): void }>(proxy: T): T => {
    stops.push(() => proxy.stop());
    return proxy;
  };

  const folder = tempFolder();
  const ask = (
    proxy: string,
    changes: Partial<HttpPorts> = {},
    signal = never,
    url = new URL('https://api.example.com/apps/my-app'),
  ): Promise<unknown> =>
    callJson(
      {
        method: 'GET',
        url,
        headers: {},
        limitMs: 10_000,
        repeatable: true,
        what: 'the app my-app',
        keySource: '~/.netrc',
        secrets: [],
      },
      { ...ports(), proxy: proxySettings({ HTTPS_PROXY: proxy }, undefined), ...changes },
      signal,
    );
  const failure = async (asked: Promise<unknown>): Promise<EpmuxError> => {
    const error = await asked.then(
      () => assert.fail('it did not fail'),
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof EpmuxError);
    const told = `${inspect(error, { depth: 9 })}${error.hint}`;
    assert.equal(told.includes(PASSWORD), false, told);
    assert.equal(told.includes(Buffer.from(`me:${PASSWORD}`).toString('base64')), false, told);
    return error;
  };

  it('names the proxy that is not there, and what leads around it', async () => {
    const at = `127.0.0.1:${await freePort()}`;
    const { code, message, hint } = await failure(ask(`http://me:${PASSWORD}@${at}`));
    assert.equal(code, 'HEROKU_UNAVAILABLE');
    assert.equal(
      message,
      `api.example.com could not be asked through the proxy ${at} (HTTPS_PROXY): it refused the connection`,
    );
    assert.match(hint, /NO_PROXY/);
    const socks = await failure(ask(`socks5://me:${PASSWORD}@${at}`));
    assert.equal(socks.code, 'HEROKU_UNAVAILABLE');
    assert.match(
      socks.message,
      /through the SOCKS proxy .* \(HTTPS_PROXY\): SOCKS proxy: .* refused/,
    );
  });

  it('trusts who a certificate given besides speaks for', async () => {
    const { caFile, ...own } = makeCertificate(folder.path);
    const heroku = createServer(own, (_request, response) => response.end('{"a":1}'));
    heroku.listen(0, '127.0.0.1');
    await once(heroku, 'listening');
    stops.push(() => void heroku.close());
    const at = new URL(`https://localhost:${(heroku.address() as AddressInfo).port}/`);
    const trust = trustIn(readExtraCa(caFile));
    for (const proxy of [started(await HttpProxy.start()), started(await SocksServer.start())]) {
      const clock = systemClock;
      assert.deepEqual(await ask(proxy.url, { clock, trust }, never, at), { a: 1 });
      const { message } = await failure(ask(proxy.url, {}, never, at));
      assert.match(message, /certificate is signed by nobody/);
    }
  });

  it('shows a wrong password once alone: further tries could lock an account', async () => {
    const http = started(await HttpProxy.start({ credentials: 'me:right' }));
    const refused = await failure(ask(`http://me:${PASSWORD}@${http.host}`));
    assert.match(refused.message, /\(HTTPS_PROXY\): it answered 407, for it wants another user/);
    assert.equal(http.asked.length, 1);
    const anonymous = await failure(ask(`http://${http.host}`));
    assert.match(anonymous.message, /it answered 407/);

    const socks = started(await SocksServer.start({ credentials: 'me:right' }));
    const { port } = new URL(socks.url);
    const error = await failure(
      ask(`socks5://me:${PASSWORD}@127.0.0.1:${port}`, { clock: systemClock }),
    );
    assert.match(error.hint, /check user and password in HTTPS_PROXY/);
    assert.equal(socks.connected, 1);
  });

  it('is tried again where the proxy finds nobody, and says that it is the proxy’s answer', async () => {
    const proxy = started(await HttpProxy.start({ status: 502 }));
    const clock = new HurriedClock();
    const { message } = await failure(ask(proxy.url, { clock }));
    assert.match(message, /through the proxy .*: it answered 502/);
    assert.deepEqual(proxy.asked, Array(4).fill('api.example.com:443'));
  });

  for (const [what, start] of [
    ['HTTP', HttpProxy.start],
    ['SOCKS', SocksServer.start],
  ] as const) {
    it(`ends at its limit where an ${what} proxy says nothing, with its connection`, async () => {
      const proxy = started(await start({ silent: true }));
      const clock = new ManualClock();
      const failed = failure(ask(proxy.url, { clock }));
      while (proxy.connections === 0) await delay(5);
      clock.advance(10_000);
      const { code, message } = await failed;
      assert.equal(code, 'HEROKU_UNAVAILABLE');
      assert.match(message, /did not answer (through the .*proxy .* )?within 10 s/);
      assert.match(message, /proxy 127/);
      while (proxy.connections > 0) await delay(5);
    });

    it(`is given up when told to, with its connection to an ${what} proxy`, async () => {
      const proxy = started(await start({ silent: true }));
      const abort = new AbortController();
      const asked = ask(proxy.url, {}, abort.signal);
      while (proxy.connections === 0) await delay(5);
      abort.abort();
      await assert.rejects(asked, { code: 'INTERRUPTED' });
      while (proxy.connections > 0) await delay(5);
    });
  }
});
