import type { Client, ParsedKey } from 'ssh2';

/** What ssh2's client is made of: by itself it asks first what the server takes, and then whether a key would do. */
interface Inside {
  readonly _protocol: {
    authNone(user: string): void;
    authPK(
      user: string,
      key: ParsedKey,
      algorithm: string,
      sign: (data: Buffer, send: (signature: Buffer) => void) => void,
    ): void;
  };
}

/**
 * Calls `ask`, which lets ssh2 send its first question; in place of that the key goes out, signed. True: it did. `hostKeyAlgorithm`: what the server has just
 * proved itself by.
 */
export function signAtOnce(
  client: Client,
  user: string,
  key: ParsedKey,
  hostKeyAlgorithm: string,
  ask: () => void,
): boolean {
  const { _protocol: protocol } = client as unknown as Inside;
  const { authNone } = protocol;
  let isSigned = false;
  protocol.authNone = () => {
    isSigned = sendSigned(protocol, user, key, hostKeyAlgorithm);
    if (!isSigned) authNone.call(protocol, user);
  };
  try {
    ask();
  } finally {
    protocol.authNone = authNone;
  }
  return isSigned;
}

function sendSigned(
  protocol: Inside['_protocol'],
  user: string,
  key: ParsedKey,
  hostKeyAlgorithm: string,
): boolean {
  // A server that signs so takes such signatures; which others it takes is not known without asking.
  if (key.type !== 'ssh-rsa' || !hostKeyAlgorithm.startsWith('rsa-sha2-')) return false;
  let isSent = false;
  protocol.authPK(user, key, 'rsa-sha2-256', (data, send) => {
    const signature = key.sign(data, 'sha256');
    if (signature instanceof Error) return;
    isSent = true;
    send(signature);
  });
  return isSent;
}
