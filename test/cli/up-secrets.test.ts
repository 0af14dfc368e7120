import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { planTunnel, unusedVariables, upSecrets } from '../../src/cli/way/plan.ts';
import type { TunnelSpec } from '../../src/daemon/control/api.ts';
import { tempFolder } from '../support/temp-folder.ts';

describe('the secrets for the daemon', () => {
  const folder = tempFolder();
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

  it('come from a file that is named rather than from the environment, which is said', async () => {
    const named = { ...spec, secretFile: '/s', cookieFile: '/c' };
    const env = { EPMUX_SECRET: 'x', EPMUX_COOKIE: ' y ' };
    assert.deepEqual(upSecrets(named, env), {});
    assert.deepEqual(unusedVariables(named, env), [
      'EPMUX_SECRET is not used: x takes what is in /s',
      'EPMUX_COOKIE is not used: x takes what is in /c',
    ]);
    assert.deepEqual(unusedVariables(named, { EPMUX_COOKIE: ' ' }), []);
    assert.deepEqual(unusedVariables(spec, env), []);
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

  it('hold the file of the certificates that NODE_EXTRA_CA_CERTS names, once it can be read', async () => {
    const heroku = await planTunnel('x', { app: 'my-app' }, '/', {});
    const file = join(folder.path, 'ca.pem');
    const given = (NODE_EXTRA_CA_CERTS: string) => upSecrets(heroku, { NODE_EXTRA_CA_CERTS });
    assert.throws(() => given(file), {
      code: 'CONFIG_INVALID',
      message: `NODE_EXTRA_CA_CERTS names ${file}, which can not be read (ENOENT)`,
    });
    assert.throws(() => given(folder.path), { code: 'CONFIG_INVALID', message: /EISDIR/ });
    writeFileSync(file, Buffer.from([0x30, 0x82]));
    assert.throws(() => given(file), { code: 'CONFIG_INVALID', message: /no certificate in PEM/ });
    writeFileSync(file, 'x'.repeat(1_048_577));
    assert.throws(() => given(file), { code: 'CONFIG_INVALID', message: /larger than 1048576/ });
    writeFileSync(file, '-----BEGIN CERTIFICATE-----');
    assert.equal(given(file).extraCaFile, file);
    assert.equal(given(relative(process.cwd(), file)).extraCaFile, file);
    assert.deepEqual(upSecrets(spec, { NODE_EXTRA_CA_CERTS: '/not there' }), {});
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
