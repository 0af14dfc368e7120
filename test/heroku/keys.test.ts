import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeSshKeys, sshKeysOnce } from '../../src/heroku/keys.ts';
import { tempFolder } from '../support/temp-folder.ts';

describe('a key pair for the exec manager', () => {
  const folder = tempFolder();

  it('is one that OpenSSH reads, both halves of it', async () => {
    const { privateKey, publicKey } = await makeSshKeys();
    const file = join(folder.path, 'key');
    writeFileSync(file, privateKey, { mode: 0o600 });
    const derived = execFileSync('ssh-keygen', ['-y', '-f', file], { encoding: 'utf8' });
    assert.equal(derived.trim().split(' ').slice(0, 2).join(' '), publicKey);
    writeFileSync(`${file}.pub`, publicKey);
    const shown = execFileSync('ssh-keygen', ['-l', '-f', `${file}.pub`], { encoding: 'utf8' });
    assert.match(shown, /^2048 SHA256:.*\(RSA\)/);
  });

  it('is another each time, and the same for one tunnel run', async () => {
    const keys = sshKeysOnce();
    assert.equal(await keys(), await keys());
    assert.notEqual((await keys()).publicKey, (await makeSshKeys()).publicKey);
  });

  it('is made anew after it could not be made', async () => {
    let times = 0;
    const keys = sshKeysOnce(async () => {
      times += 1;
      if (times === 1) throw new Error('no entropy');
      return { privateKey: 'a', publicKey: 'b' };
    });
    await assert.rejects(keys());
    assert.equal((await keys()).publicKey, 'b');
  });
});
