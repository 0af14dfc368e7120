import type { Client } from 'ssh2';
import { handlersOf } from './ssh2-inside.ts';

const OFFER = 'hostkeys-00@openssh.com';

/**
 * Leaves the host keys unasked that OpenSSH's server tells of when it lets a user in: nobody here
 * learns keys that way, and by itself ssh2 has the server prove each, on every connection. Its
 * proof would come before all else that is asked of it, and with Nagle's algorithm on the server
 * holds that back until the proof was acknowledged.
 */
export function leaveHostKeysUnasked(client: Client): void {
  client.once('handshake', () => {
    const handlers = handlersOf(client, 'GLOBAL_REQUEST')?.handlers;
    if (handlers === undefined) return;
    const handle = handlers.GLOBAL_REQUEST;
    handlers.GLOBAL_REQUEST = (protocol, name, wantReply, data) => {
      if (name !== OFFER || wantReply) handle(protocol, name, wantReply, data);
    };
  });
}
