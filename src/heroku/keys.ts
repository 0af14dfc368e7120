import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';

export interface SshKeyPair {
  /** PKCS #1 in PEM. A secret: in memory only. */
  readonly privateKey: string;
  /** OpenSSH's form, without a comment: `ssh-rsa AAAA…`. */
  readonly publicKey: string;
}

const TYPE = 'ssh-rsa';
const BITS = 2_048;

/**
 * A new key pair of the kind that the exec manager takes. Made off the main thread; takes about 0.1
 * s, at times a second.
 */
export async function makeSshKeys(): Promise<SshKeyPair> {
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: BITS,
  });
  const { n = '', e = '' } = publicKey.export({ format: 'jwk' });
  const parts = [Buffer.from(TYPE), integer(e), integer(n)];
  const wire = Buffer.concat(parts.flatMap((part) => [lengthOf(part), part]));
  return {
    privateKey: privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(),
    publicKey: `${TYPE} ${wire.toString('base64')}`,
  };
}

/** An `mpint` (RFC 4251, 5): big-endian, and a zero before a first bit that would be its sign. */
function integer(base64url: string): Buffer {
  const bytes = Buffer.from(base64url, 'base64url');
  return (bytes[0] ?? 0) < 0x80 ? bytes : Buffer.concat([Buffer.of(0), bytes]);
}

function lengthOf(part: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(part.length);
  return length;
}

let prepared: Promise<SshKeyPair> | undefined;

/** Begins to make the pair that is asked for next. */
export function prepareSshKeys(): void {
  prepared ??= makeSshKeys();
  prepared.catch(() => undefined);
}

/** The pair that was begun before, or a new one. */
export function nextSshKeys(): Promise<SshKeyPair> {
  const next = prepared ?? makeSshKeys();
  prepared = undefined;
  return next;
}

/** The same pair each time, made when it is first asked for, or prepared before. */
export function sshKeysOnce(
  make: () => Promise<SshKeyPair> = nextSshKeys,
): () => Promise<SshKeyPair> {
  let made: Promise<SshKeyPair> | undefined;
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}
