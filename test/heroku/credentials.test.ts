import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ApiKey, herokuCredentials, withApiKey } from '../../src/heroku/credentials.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { tempFolder } from '../support/temp-folder.ts';

const refusal = new EpmuxError('HEROKU_AUTH_REFUSED', 'no');

const { signal } = new AbortController();

describe('the key for Heroku', () => {
  const home = tempFolder();

  const from = (apiKey?: string, apiHost = 'api.heroku.com') =>
    herokuCredentials({ apiKey, apiHost, home: home.path });
  const write = (text: string): void => writeFileSync(join(home.path, '.netrc'), text);

  it('is HEROKU_API_KEY before all', async () => {
    write('machine api.heroku.com password netrc');
    assert.deepEqual(await from(' env\n').current(), { key: 'env', source: 'HEROKU_API_KEY' });
  });

  it('is not sent where a header could not carry it', async () => {
    for (const key of ['one\ntwo', 'schlüssel', 'k'.repeat(4_097)]) {
      await assert.rejects(from(key).current(), {
        code: 'CONFIG_INVALID',
        message: /HEROKU_API_KEY/,
      });
    }
  });

  it('is the password of the API’s host in ~/.netrc', async () => {
    write('machine api.heroku.com password netrc');
    for (const nothing of [undefined, '', '  ']) {
      assert.deepEqual(await from(nothing).current(), { key: 'netrc', source: '~/.netrc' });
    }
  });

  it('is that of another API’s host, with its port or without', async () => {
    write('machine a:1 password one machine a password two machine api.heroku.com password three');
    assert.equal((await from(undefined, 'a:1').current()).key, 'one');
    assert.equal((await from(undefined, 'a:2').current()).key, 'two');
  });

  it('is missing without either, and the hint says how to get one', async () => {
    const missing = (hint: RegExp) =>
      assert.rejects(from().current(), (error) => {
        assert.ok(error instanceof EpmuxError);
        assert.equal(error.code, 'HEROKU_AUTH_MISSING');
        assert.match(error.hint, hint);
        return true;
      });
    await missing(/heroku login/);
    write('machine api.heroku.com login me');
    await missing(/heroku login/);
    writeFileSync(join(home.path, '.netrc.gpg'), '');
    await missing(/HEROKU_API_KEY="\$\(heroku auth:token\)"/);
  });

  it('is not looked for in a ~/.netrc that can’t be read', async () => {
    mkdirSync(join(home.path, '.netrc'));
    await assert.rejects(from().current(), { code: 'PERMISSION_DENIED' });
  });

  it('is looked for again after it was missing', async () => {
    const credentials = from();
    await assert.rejects(credentials.current(), { code: 'HEROKU_AUTH_MISSING' });
    write('machine api.heroku.com password late');
    assert.equal((await credentials.current()).key, 'late');
  });

  describe('that is refused', () => {
    const attempt = async (credentials: ReturnType<typeof from>, good: string) => {
      const tried: string[] = [];
      const outcome = await withApiKey(credentials, signal, async ({ key }: ApiKey) => {
        tried.push(key);
        if (key !== good) throw refusal;
        return 'in';
      }).catch((error: unknown) => error);
      return { tried, outcome };
    };

    it('is read from ~/.netrc again, and tried once when it is another by now', async () => {
      write('machine api.heroku.com password old');
      const credentials = from();
      await credentials.current();
      write('machine api.heroku.com password new');
      assert.deepEqual(await attempt(credentials, 'new'), { tried: ['old', 'new'], outcome: 'in' });
      assert.deepEqual(await attempt(credentials, 'new'), { tried: ['new'], outcome: 'in' });
    });

    it('is final when ~/.netrc still has it, or has none any more', async () => {
      write('machine api.heroku.com password old');
      const credentials = from();
      assert.deepEqual(await attempt(credentials, 'new'), { tried: ['old'], outcome: refusal });
      write('');
      assert.deepEqual(await attempt(from('old'), 'new'), { tried: ['old'], outcome: refusal });
    });

    it('is final when the environment gave it', async () => {
      write('machine api.heroku.com password new');
      assert.deepEqual(await attempt(from('old'), 'new'), { tried: ['old'], outcome: refusal });
    });

    it('is no reason to try again what fails otherwise', async () => {
      write('machine api.heroku.com password old');
      const error = new EpmuxError('HEROKU_FORBIDDEN', 'no');
      let times = 0;
      await assert.rejects(
        withApiKey(from(), signal, async () => {
          times += 1;
          throw error;
        }),
        error,
      );
      assert.equal(times, 1);
    });
  });
});
