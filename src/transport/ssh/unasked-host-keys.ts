import type { Client } from 'ssh2';

type OnGlobalRequest = (protocol: unknown, name: string, wantReply: boolean, data: unknown) => void;

/** What ssh2's client is made of: by itself it has the server prove each host key that it tells of, on every connection. */
interface Inside {
  readonly _protocol?: { readonly _handlers?: { GLOBAL_REQUEST?: OnGlobalRequest } };
}

const OFFER = 'hostkeys-00@openssh.com';

/**
 * Leaves the host keys unasked that OpenSSH's server tells of when it lets a user in: nobody here learns keys that way. Its proof would come before all else that is asked
 * of it, and with Nagle's algorithm on the server holds that back until the proof was acknowledged. Where ssh2 is made otherwise inside, it asks as it does by itself.
 */
export function leaveHostKeysUnasked(client: Client): void {
  client.once('handshake', () => {
    const handlers = (client as unknown as Inside)._protocol?._handlers;
    const handle = handlers?.GLOBAL_REQUEST;
    if (handlers === undefined || typeof handle !== 'function') return;
    handlers.GLOBAL_REQUEST = (protocol, name, wantReply, data) => {
      if (name !== OFFER || wantReply) handle(protocol, name, wantReply, data);
    };
  });
}
