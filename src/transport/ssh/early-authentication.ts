import type { Client } from 'ssh2';
import { BEFORE_PAYLOAD_BYTES, MessageType } from './ssh-codes.ts';
import { type Cipher, cipherOf, handlersOf } from './ssh2-inside.ts';

const SERVICE = 'ssh-userauth';

/** With an empty string (RFC 4253, 11.2). */
const IGNORE = Buffer.of(MessageType.ignore, 0, 0, 0, 0);

/**
 * Lets the first request to authenticate follow the request for the service at once; by itself ssh2
 * waits for the server's word that it has that service, which costs a round trip. A server works
 * through them in their order (RFC 4253, 10), and one without that service ends the connection. A
 * server that has Nagle's algorithm on, as OpenSSH's has for so long, holds its second small answer
 * back until the first was acknowledged, and a kernel with nothing to send takes 40 ms for that: so
 * the first is answered at once, by a message that says nothing.
 */
export function authenticateEarly(client: Client): void {
  client.once('handshake', () => {
    // Behind the request for the service, which ssh2 sends in this very turn.
    process.nextTick(() => {
      const inside = handlersOf(client, 'SERVICE_ACCEPT');
      if (inside === undefined) return;
      const { protocol, handlers } = inside;
      const begin = handlers.SERVICE_ACCEPT;
      handlers.SERVICE_ACCEPT = () => sayNothing(cipherOf(client));
      begin(protocol, SERVICE);
    });
  });
}

function sayNothing(cipher: Cipher | undefined): void {
  if (cipher === undefined) return;
  const packet = cipher.allocPacket(IGNORE.length);
  packet.set(IGNORE, BEFORE_PAYLOAD_BYTES);
  cipher.encrypt(packet);
}
