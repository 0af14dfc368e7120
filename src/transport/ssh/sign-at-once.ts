import type { Client, ParsedKey } from 'ssh2';

/** What ssh2's client is made of: by itself it asks first whether a key would do, which costs a round trip. */
interface Inside {
  readonly _protocol: {
    authPK(
      user: string,
      key: ParsedKey,
      algorithm: string,
      sign: (data: Buffer, send: (signature: Buffer) => void) => void,
    ): void;
  };
}

/** `hostKeyAlgorithm`: what the server has just proved itself by. False: nothing was sent. */
export function signAtOnce(
  client: Client,
  user: string,
  key: ParsedKey,
  hostKeyAlgorithm: string,
): boolean {
  // A server that signs so takes such signatures; which others it takes is not known without asking.
  if (key.type !== 'ssh-rsa' || !hostKeyAlgorithm.startsWith('rsa-sha2-')) return false;
  const { _protocol } = client as unknown as Inside;
  let isSigned = false;
  _protocol.authPK(user, key, 'rsa-sha2-256', (data, send) => {
    const signature = key.sign(data, 'sha256');
    if (signature instanceof Error) return;
    isSigned = true;
    send(signature);
  });
  return isSigned;
}
