import assert from 'node:assert/strict';
import { planTunnel, upSecrets } from '../../src/cli/way/plan.ts';
import type { TunnelSpec } from '../../src/daemon/control/api.ts';

describe('the secrets for the daemon', () => {
  let spec: TunnelSpec;
  before(async () => {
    spec = await planTunnel('x', { connect: 'h:1' }, '/', {});
  });

  it('come from the environment', () => {
    const env = { EPMUX_SECRET: 's', EPMUX_COOKIE: 'c', SSH_AUTH_SOCK: '/a', HOME: '/' };
    assert.deepEqual(upSecrets(spec, env), { secret: 's', cookie: 'c', sshAuthSock: '/a' });
    assert.deepEqual(upSecrets(spec, { EPMUX_SECRET: '' }), {});
    const loose = { EPMUX_SECRET: ' s\n', EPMUX_COOKIE: '\tc \r\n' };
    assert.deepEqual(upSecrets(spec, loose), { secret: 's', cookie: 'c' });
    assert.deepEqual(upSecrets(spec, { EPMUX_SECRET: ' \n' }), {});
  });

  it('hold the key for Heroku where the tunnel leads there, and only there', async () => {
    const heroku = await planTunnel('x', { app: 'my-app' }, '/', {});
    const given = upSecrets(heroku, { HEROKU_API_KEY: ' k\n' });
    assert.deepEqual(given, { herokuToken: 'k', herokuVariables: {}, proxyVariables: {} });
    assert.deepEqual(upSecrets(spec, { HEROKU_API_KEY: 'k', HTTPS_PROXY: 'p' }), {});
  });

  it('hold what names a proxy for calls to Heroku, once it can be read', async () => {
    const heroku = await planTunnel('x', { app: 'my-app' }, '/', {});
    const env = { HTTPS_PROXY: 'http://me:pass@p', NO_PROXY: 'q' };
    assert.deepEqual(upSecrets(heroku, env).proxyVariables, env);
    assert.throws(() => upSecrets(heroku, { all_proxy: 'ftp://p' }), { code: 'CONFIG_INVALID' });
  });

  it('hold where Heroku is, whose key it is that they hold', async () => {
    const heroku = await planTunnel('x', { app: 'my-app' }, '/', {});
    const env = { HEROKU_API_URL: 'https://api.example.com', HEROKU_HEADERS: '{"x":"y"}' };
    assert.deepEqual(upSecrets(heroku, { ...env, HEROKU_HOST: '' }).herokuVariables, env);
  });

  for (const [name, value] of [
    ['EPMUX_SECRET', 's'.repeat(4_097)],
    ['EPMUX_COOKIE', 'c'.repeat(256)],
    ['EPMUX_COOKIE', 'first\nsecond'],
    ['SSH_AUTH_SOCK', '/'.repeat(4_097)],
    ['HEROKU_API_KEY', 'k'.repeat(4_097)],
    ['HEROKU_API_KEY', 'first\nsecond'],
    ['HTTPS_PROXY', `http://p/${'x'.repeat(4_096)}`],
    ['no_proxy', 'x'.repeat(65_537)],
  ] as const) {
    const length = value.length;
    it(`are refused by the name of the variable: ${name} of ${length} characters`, async () => {
      const heroku = await planTunnel('x', { app: 'my-app' }, '/', {});
      assert.throws(() => upSecrets(heroku, { [name]: value }), {
        code: 'CONFIG_INVALID',
        message: new RegExp(`^${name} (is|has) (?!.*(first|xxx|kkk))`),
      });
    });
  }

  it('give way to files that the person named', () => {
    const named = { ...spec, secretFile: '/s', cookieFile: '/c' };
    assert.deepEqual(upSecrets(named, { EPMUX_SECRET: 's', EPMUX_COOKIE: 'c' }), {});
  });
});
