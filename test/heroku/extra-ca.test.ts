import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ExtraCa, readExtraCa } from '../../src/heroku/extra-ca.ts';
import { tempFolder } from '../support/temp-folder.ts';

const BEGIN = '-----BEGIN CERTIFICATE-----';

describe('the file that NODE_EXTRA_CA_CERTS names', () => {
  const folder = tempFolder();

  it('counts as it is now, and as it was last while it can not be read', () => {
    const [file, other] = [join(folder.path, 'ca.pem'), join(folder.path, 'other.pem')];
    const extra = new ExtraCa();
    assert.equal(extra.from(undefined), undefined);
    for (const text of [`${BEGIN}1`, `${BEGIN}2`]) {
      writeFileSync(file, text);
      assert.equal(extra.from(file), text);
    }
    rmSync(file);
    assert.equal(extra.from(file), `${BEGIN}2`);
    assert.throws(() => extra.from(other), { code: 'CONFIG_INVALID' });
  });

  it('keeps nobody waiting where it is a pipe', () => {
    const pipe = join(folder.path, 'pipe');
    execFileSync('mkfifo', [pipe]);
    assert.throws(() => readExtraCa(pipe), { code: 'CONFIG_INVALID', message: /no certificate/ });
  });
});
