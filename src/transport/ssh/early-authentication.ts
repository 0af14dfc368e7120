import type { Client } from 'ssh2';

type OnAccept = (protocol: unknown, service: string) => void;

interface Cipher {
  allocPacket(payloadBytes: number): Buffer;
  encrypt(packet: Buffer): void;
}

/** What ssh2's client is made of: by itself it waits for the server's word that it has an authentication service, which costs a round trip. */
interface Inside {
  readonly _protocol?: {
    readonly _handlers?: { SERVICE_ACCEPT?: OnAccept };
    readonly _cipher?: Partial<Cipher>;
  };
}

const SERVICE = 'ssh-userauth';

/** SSH_MSG_IGNORE with an empty string (RFC 4253, 11.2). */
const IGNORE = Buffer.of(2, 0, 0, 0, 0);
/** Length and length of the padding (RFC 4253, 6). */
const BEFORE_PAYLOAD_BYTES = 5;

/**
 * Lets the first request to authenticate follow the request for the service at once: a server works through them in their order (RFC 4253, 10), and one without
 * that service ends the connection. A server that has Nagle's algorithm on, as OpenSSH's has for so long, holds its second small answer back until the first was
 * acknowledged, and a kernel with nothing to send takes 40 ms for that: so the first is answered at once, by a message that says nothing. Where ssh2 is made otherwise
 * inside, its client waits as it does by itself.
 */
export function authenticateEarly(client: Client): void {
  client.once('handshake', () => {
    // Behind the request for the service, which ssh2 sends in this very turn.
    process.nextTick(() => {
      const { _protocol: protocol } = client as unknown as Inside;
      const handlers = protocol?._handlers;
      const begin = handlers?.SERVICE_ACCEPT;
      if (handlers === undefined || typeof begin !== 'function') return;
      handlers.SERVICE_ACCEPT = () => sayNothing(protocol?._cipher);
      begin(protocol, SERVICE);
    });
  });
}

function sayNothing(cipher: Partial<Cipher> | undefined): void {
  if (cipher?.allocPacket === undefined || cipher.encrypt === undefined) return;
  const packet = cipher.allocPacket(IGNORE.length);
  packet.set(IGNORE, BEFORE_PAYLOAD_BYTES);
  cipher.encrypt(packet);
}
