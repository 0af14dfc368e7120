import type { Client } from 'ssh2';

type OnAccept = (protocol: unknown, service: string) => void;

/** What ssh2's client is made of: by itself it waits for the server's word that it has an authentication service, which costs a round trip. */
interface Inside {
  readonly _protocol: { readonly _handlers: { SERVICE_ACCEPT: OnAccept } };
}

const SERVICE = 'ssh-userauth';

/**
 * Lets the first request to authenticate follow the request for the service at once: a server works through them in their order (RFC 4253, 10), and one without
 * that service ends the connection.
 */
export function authenticateEarly(client: Client): void {
  client.once('handshake', () => {
    // Behind the request for the service, which ssh2 sends in this very turn.
    process.nextTick(() => {
      const { _protocol } = client as unknown as Inside;
      const begin = _protocol._handlers.SERVICE_ACCEPT;
      _protocol._handlers.SERVICE_ACCEPT = () => undefined;
      begin(_protocol, SERVICE);
    });
  });
}
