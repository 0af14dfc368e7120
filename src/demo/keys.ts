import ssh2 from 'ssh2';
import { EpmuxError } from '../protocol/errors.ts';

export interface KeyPair {
  /** OpenSSH's private key file, without a passphrase. */
  readonly privateKey: string;
  /** One line, without a newline. */
  readonly publicKey: string;
}

const ATTEMPTS = 20;

/** A fresh Ed25519 key pair. */
export function makeKeyPair(): KeyPair {
  // ssh2 1.17 writes about one Ed25519 pair in 250 so that it can't be read back.
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519');
    if (isUsable(pair.private, pair.public)) {
      return { privateKey: pair.private, publicKey: pair.public.trim() };
    }
  }
  throw new EpmuxError('INTERNAL', `no usable SSH key in ${ATTEMPTS} attempts`);
}

function isUsable(privateText: string, publicText: string): boolean {
  const privateKey = ssh2.utils.parseKey(privateText);
  const publicKey = ssh2.utils.parseKey(publicText);
  if (privateKey instanceof Error || publicKey instanceof Error) return false;
  return publicKey.verify('probe', privateKey.sign('probe')) === true;
}
