import assert from 'node:assert/strict';
import { Redactor } from '../../src/daemon/redact.ts';
import { SecretStore } from '../../src/daemon/secrets.ts';
import { TunnelSecrets } from '../../src/daemon/tunnel-secrets.ts';
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
});
