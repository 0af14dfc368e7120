import assert from 'node:assert/strict';
import { herokuSettings } from '../../src/heroku/settings.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';

describe('where Heroku is', () => {
  it('is Heroku itself unless the environment says otherwise', () => {
    for (const env of [
      {},
      { HEROKU_HOST: '', HEROKU_API_URL: '', HEROKU_EXEC_URL: '', HEROKU_HEADERS: '' },
    ]) {
      assert.deepEqual(herokuSettings(env), {
        apiUrl: 'https://api.heroku.com',
        execUrl: undefined,
        headers: {},
        gitHosts: { ssh: 'heroku.com', https: 'git.heroku.com' },
      });
    }
  });

  const named: [env: NodeJS.ProcessEnv, apiUrl: string, ssh: string, https: string][] = [
    [{ HEROKU_HOST: 'example.com' }, 'https://api.example.com', 'example.com', 'git.example.com'],
    [
      { HEROKU_HOST: 'https://localhost:5000' },
      'https://localhost:5000',
      'localhost:5000',
      'localhost:5000',
    ],
    [
      { HEROKU_HOST: 'http://127.0.0.1:5000/' },
      'http://127.0.0.1:5000',
      '127.0.0.1:5000',
      '127.0.0.1:5000',
    ],
    [
      { HEROKU_API_URL: 'https://x.example.com/v/' },
      'https://x.example.com/v',
      'heroku.com',
      'git.heroku.com',
    ],
    [
      { HEROKU_API_URL: 'https://x.org', HEROKU_HOST: 'y.org' },
      'https://x.org',
      'y.org',
      'git.y.org',
    ],
    [{ HEROKU_GIT_HOST: 'g.org' }, 'https://api.heroku.com', 'g.org', 'g.org'],
  ];
  for (const [env, apiUrl, ssh, https] of named) {
    it(`is ${apiUrl} with ${JSON.stringify(env)}`, () => {
      const settings = herokuSettings(env);
      assert.equal(settings.apiUrl, apiUrl);
      assert.deepEqual(settings.gitHosts, { ssh, https });
    });
  }

  it('takes headers of one’s own', () => {
    const { headers } = herokuSettings({ HEROKU_HEADERS: '{"X-Trace": "on"}' });
    assert.deepEqual(headers, { 'x-trace': 'on' });
  });

  const wrong: NodeJS.ProcessEnv[] = [
    { HEROKU_API_URL: 'secret' },
    { HEROKU_API_URL: 'http://user:secret@api.example.com' },
    { HEROKU_HOST: 'http://secret.example.com' },
    { HEROKU_HOST: 'https://', HEROKU_API_URL: 'https://example.com' },
    { HEROKU_EXEC_URL: 'http://user:secret@example.com/' },
    { HEROKU_EXEC_URL: 'ftp://secret' },
    { HEROKU_HEADERS: '{secret' },
    { HEROKU_HEADERS: '"secret"' },
    { HEROKU_HEADERS: '{"a b": "secret"}' },
  ];
  for (const env of wrong) {
    it(`refuses ${JSON.stringify(env)}, naming the variable and not what it holds`, () => {
      assert.throws(
        () => herokuSettings(env),
        (error) => {
          assert.ok(error instanceof EpmuxError);
          assert.equal(error.code, 'CONFIG_INVALID');
          const [name = ''] = Object.keys(env);
          assert.match(error.message, new RegExp(name));
          assert.doesNotMatch(`${error.stack}${error.hint}`, /secret/);
          assert.equal(error.cause, undefined);
          return true;
        },
      );
    });
  }
});
