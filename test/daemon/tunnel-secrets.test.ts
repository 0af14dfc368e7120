import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redactor } from '../../src/daemon/redact.ts';
import { SecretStore } from '../../src/daemon/secrets.ts';
import { TunnelSecrets } from '../../src/daemon/tunnel-secrets.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { connectSpec } from '../support/daemon-fixture.ts';
import { tempFolder } from '../support/temp-folder.ts';

describe('the secrets of a tunnel', () => {
  const folder = tempFolder();

  it('stay where another up gives none, but for the key of Heroku: then ~/.netrc counts', () => {
    const spec = connectSpec(1);
    const store = new SecretStore(folder.path);
    const given = { secret: 's', cookie: 'c', herokuToken: 'revoked' };
    const secrets = new TunnelSecrets(spec, given, store, new Redactor());
    assert.equal(secrets.replace({}, spec), true);
    assert.deepEqual(secrets.given, { secret: 's', cookie: 'c' });
    assert.equal(secrets.replace({ herokuToken: 'new' }, spec), true);
    assert.equal(secrets.replace({ herokuToken: 'new' }, spec), false);
  });

  it('of a file that is wrong are corrected there, for no variable is looked at beside it', async () => {
    const [secretFile, cookieFile] = [join(folder.path, 'secret'), join(folder.path, 'cookie')];
    const spec = connectSpec(1, { secretFile, cookieFile });
    const secrets = new TunnelSecrets(spec, {}, new SecretStore(folder.path), new Redactor());
    for (const [code, file] of [
      ['SECRET_REFUSED', secretFile],
      ['COOKIE_REFUSED', cookieFile],
    ] as const) {
      const { message, hint } = secrets.hinted(new EpmuxError(code, 'no'));
      assert.match(message, new RegExp(`that in ${file}$`));
      assert.match(hint, /^correct that file, or pass another --(secret|cookie)-file$/);
    }
    writeFileSync(secretFile, '');
    await assert.rejects(secrets.secret(), { code: 'SECRET_MISSING', hint: /into that file/ });
    secrets.replace({ secret: 's', cookie: 'c' }, {});
    for (const code of ['SECRET_REFUSED', 'COOKIE_REFUSED'] as const) {
      assert.equal(secrets.hinted(new EpmuxError(code, 'no')).message, 'no');
    }
  });
});
