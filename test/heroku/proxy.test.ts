import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import {
  isProxied,
  type ProxySettings,
  proxyLabel,
  proxySettings,
  proxyVariables,
} from '../../src/heroku/proxy.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';

describe('the proxy for calls to Heroku', () => {
  const named = (env: NodeJS.ProcessEnv, via?: string): ProxySettings => {
    const settings = proxySettings(env, via);
    assert.ok(settings !== undefined);
    return settings;
  };

  it('is none unless something names one', () => {
    assert.equal(
      proxySettings({ HTTPS_PROXY: '', NO_PROXY: '*', PATH: '/bin' }, undefined),
      undefined,
    );
  });

  const order = [
    'HTTPS_PROXY',
    'https_proxy',
    'HTTP_PROXY',
    'http_proxy',
    'ALL_PROXY',
    'all_proxy',
  ];
  it(`is that of the first of ${order.join(', ')}`, () => {
    for (const [at, name] of order.entries()) {
      const env = Object.fromEntries(
        order.slice(at).map((each, n) => [each, `http://p${at + n}:80`]),
      );
      const { source, url } = named(env);
      assert.deepEqual([source, url.hostname], [name, `p${at}`]);
    }
  });

  it('is that of --via before all of them, for every host', () => {
    const env = { HTTPS_PROXY: 'http://other', NO_PROXY: '*' };
    const settings = named(env, 'socks5://me:s3cret@proxy');
    assert.equal(proxyLabel(settings), 'the SOCKS proxy proxy (--via)');
    assert.equal(isProxied(new URL('https://api.heroku.com/'), settings), true);
  });

  it('is an HTTP proxy where no scheme stands', () => {
    const settings = named({ HTTPS_PROXY: 'me:s3cret@proxy.example.com:8080' });
    assert.equal(settings.url.protocol, 'http:');
    assert.equal(proxyLabel(settings), 'the proxy proxy.example.com:8080 (HTTPS_PROXY)');
  });

  it('is CONFIG_INVALID where it can not be read, without the password', () => {
    for (const text of [
      'ftp://me:s3cret@proxy',
      'socks4://me:s3cret@proxy',
      'http://me:s3cret@proxy:99999',
      'http://me:s3cret%zz@proxy',
      'socks5://me:s3cret%zz@proxy',
    ]) {
      assert.throws(
        () => proxySettings({ all_proxy: text }, undefined),
        (error) => {
          assert.ok(error instanceof EpmuxError);
          assert.equal(error.code, 'CONFIG_INVALID');
          assert.match(error.message, /^all_proxy/);
          assert.doesNotMatch(inspect(error), /s3cret/);
          return true;
        },
        text,
      );
    }
  });

  const exceptions: [noProxy: string, direct: readonly string[], proxied: readonly string[]][] = [
    ['', [], ['https://api.heroku.com']],
    ['*', ['https://api.heroku.com', 'https://[::1]:5000'], []],
    ['heroku.com', ['https://api.heroku.com', 'https://heroku.com'], ['https://xheroku.com']],
    ['.heroku.com', ['https://api.heroku.com'], ['https://example.com']],
    ['*.HEROKU.com', ['https://api.heroku.com'], ['https://example.com']],
    ['api.heroku.com', ['https://api.heroku.com'], ['https://exec-manager.heroku.com']],
    [
      'a.org, 127.0.0.1:5000 b.org',
      ['https://127.0.0.1:5000', 'https://b.org'],
      ['https://127.0.0.1'],
    ],
    ['api.heroku.com:443', ['https://api.heroku.com'], ['https://api.heroku.com:8443']],
    ['::1', ['https://[::1]:5000'], ['https://[::2]']],
  ];
  for (const [noProxy, direct, proxied] of exceptions) {
    it(`with NO_PROXY=${noProxy} leaves out ${direct.length === 0 ? 'nothing' : direct.join(', ')}`, () => {
      const settings = named({ HTTPS_PROXY: 'proxy', NO_PROXY: noProxy });
      for (const url of direct) assert.equal(isProxied(new URL(url), settings), false, url);
      for (const url of proxied) assert.equal(isProxied(new URL(url), settings), true, url);
    });
  }

  it('never sees what is asked in clear text', () => {
    const settings = named({ HTTP_PROXY: 'proxy' }, undefined);
    assert.equal(isProxied(new URL('http://127.0.0.1:5000'), settings), false);
  });

  it('is told to the daemon as the environment has it, and nothing else of it', () => {
    const env = { HTTPS_PROXY: 'a', no_proxy: 'b', ALL_PROXY: '', HOME: '/home/me' };
    assert.deepEqual(proxyVariables(env), { HTTPS_PROXY: 'a', no_proxy: 'b' });
  });
});
