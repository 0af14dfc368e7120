import type { Client } from 'ssh2';

type OnAccept = (protocol: unknown, service: string) => void;

/** What ssh2's client is made of: by itself it waits for the server's word that it has an authentication service, which costs a round trip. */
interface Inside {
  readonly _protocol?: { readonly _handlers?: { SERVICE_ACCEPT?: OnAccept } };
}

const SERVICE = 'ssh-userauth';

/**
 * Lets the first request to authenticate follow the request for the service at once: a server works through them in their order (RFC 4253, 10), and one without
 * that service ends the connection. Where ssh2 is made otherwise inside, its client waits as it does by itself.
 */
export function authenticateEarly(client: Client): void {
  client.once('handshake', () => {
    // Behind the request for the service, which ssh2 sends in this very turn.
    process.nextTick(() => {
      const { _protocol: protocol } = client as unknown as Inside;
      const handlers = protocol?._handlers;
      const begin = handlers?.SERVICE_ACCEPT;
      if (handlers === undefined || typeof begin !== 'function') return;
      handlers.SERVICE_ACCEPT = () => undefined;
      begin(protocol, SERVICE);
    });
  });
}
