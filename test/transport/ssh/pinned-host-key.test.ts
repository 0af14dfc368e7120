import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { EpmuxError } from '../../../src/protocol/errors.ts';
import { pinnedHostKey } from '../../../src/transport/ssh/pinned-host-key.ts';
import { makeKey } from '../../support/sshd.ts';
import { tempFolder } from '../../support/temp-folder.ts';

describe('a host key that is known beforehand', () => {
  const folder = tempFolder();

  const publicKey = (type: 'rsa' | 'ed25519', name: string): string => {
    makeKey(`${folder.path}/${name}`, type);
    return readFileSync(`${folder.path}/${name}.pub`, 'utf8');
  };
  const wire = (line: string): Buffer => Buffer.from(line.split(' ')[1] ?? '', 'base64');

  it('is the only one that is trusted', async () => {
    const [own, other] = [publicKey('ed25519', 'own'), publicKey('ed25519', 'other')];
    const check = await pinnedHostKey(own, 'host:80', 'the manager')();
    await check.verify(wire(own));
    for (const key of [wire(other), Buffer.alloc(0), wire(own).subarray(1)]) {
      await assert.rejects(check.verify(key), (error) => {
        assert.ok(error instanceof EpmuxError);
        assert.equal(error.code, 'HOST_KEY_MISMATCH');
        assert.match(
          error.message,
          /^host:80 shows .*\(SHA256:.*\) than the manager told \(SHA256:/,
        );
        return true;
      });
    }
  });

  it('makes its own type the first that the server is asked for', async () => {
    const rsa = await pinnedHostKey(publicKey('rsa', 'rsa'), 'host', 'x')();
    assert.deepEqual(rsa.algorithms.slice(0, 3), ['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa']);
    const ed25519 = await pinnedHostKey(publicKey('ed25519', 'ed'), 'host', 'x')();
    assert.equal(ed25519.algorithms[0], 'ssh-ed25519');
    assert.ok(!ed25519.algorithms.includes('ssh-rsa'));
  });
});
