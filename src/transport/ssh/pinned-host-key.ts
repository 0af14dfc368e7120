import { createHash, timingSafeEqual } from 'node:crypto';
import { EpmuxError } from '../../protocol/errors.ts';
import { algorithmsFor, type HostKeys } from './host-keys.ts';
import { fingerprint } from './known-hosts.ts';

const RSA = 'ssh-rsa';

/**
 * Trusts one host key alone, given in OpenSSH's form (`ssh-rsa AAAA…`) by somebody whom `from`
 * names. A server that can prove an RSA key by SHA-1 only is let through: the key is fixed
 * beforehand, and forging the proof would take a second preimage.
 */
export function pinnedHostKey(publicKey: string, server: string, from: string): HostKeys {
  const [type = '', base64 = ''] = publicKey.trim().split(/\s+/);
  const pinned = Buffer.from(base64, 'base64');
  const algorithms = algorithmsFor([type]);
  if (type === RSA) algorithms.splice(algorithms.indexOf('rsa-sha2-256') + 1, 0, RSA);
  return async () => ({
    algorithms,
    async verify(key) {
      if (timingSafeEqual(sha256(key), sha256(pinned))) return;
      throw new EpmuxError(
        'HOST_KEY_MISMATCH',
        `${server} shows another host key (${fingerprint(key)}) than ${from} told (${fingerprint(pinned)})`,
        { hint: 'somebody may be in between: nothing was sent; try another network' },
      );
    },
  });
}

function sha256(key: Buffer): Buffer {
  return createHash('sha256').update(key).digest();
}
