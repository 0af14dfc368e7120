import type { Client, ParsedKey } from 'ssh2';
import { type Login, loginOf } from './ssh2-inside.ts';

/**
 * Calls `ask`, which lets ssh2 send its first question; in place of that the key goes out, signed.
 * True: it did. By itself ssh2 asks first what the server takes, and then whether a key would do.
 * `hostKeyAlgorithm`: what the server has just proved itself by.
 */
export function signAtOnce(
  client: Client,
  user: string,
  key: ParsedKey,
  hostKeyAlgorithm: string,
  ask: () => void,
): boolean {
  const login = loginOf(client);
  if (login === undefined) {
    ask();
    return false;
  }
  const { authNone } = login;
  let isSigned = false;
  login.authNone = () => {
    isSigned = sendSigned(login, user, key, hostKeyAlgorithm);
    if (!isSigned) authNone.call(login, user);
  };
  try {
    ask();
  } finally {
    login.authNone = authNone;
  }
  return isSigned;
}

function sendSigned(login: Login, user: string, key: ParsedKey, hostKeyAlgorithm: string): boolean {
  // A server that signs so takes such signatures; which others it takes is not known without
  // asking.
  if (key.type !== 'ssh-rsa' || !hostKeyAlgorithm.startsWith('rsa-sha2-')) return false;
  let isSent = false;
  login.authPK(user, key, 'rsa-sha2-256', (data, send) => {
    const signature = key.sign(data, 'sha256');
    if (signature instanceof Error) return;
    isSent = true;
    send(signature);
  });
  return isSent;
}
