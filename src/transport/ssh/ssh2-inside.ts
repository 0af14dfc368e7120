/**
 * All that is known here of the inside of ssh2, which promises none of it. Each function gives what
 * it looked for and found, or undefined where ssh2 is made otherwise: there it does as it does by
 * itself.
 */
import type { Client, ClientChannel, ParsedKey } from 'ssh2';

/** What the client does with a message of the server; each may be replaced. */
export interface MessageHandlers {
  SERVICE_ACCEPT(protocol: unknown, service: string): void;
  GLOBAL_REQUEST(protocol: unknown, name: string, wantReply: boolean, data: unknown): void;
}

/** Packets of the client. Each exchange of keys brings another one. */
export interface Cipher {
  /** The payload stands behind the first `BEFORE_PAYLOAD_BYTES`. */
  allocPacket(payloadBytes: number): Buffer;
  /** Sends the packet. */
  encrypt(packet: Buffer): void;
}

/** Packets of the server. Each exchange of keys brings another one. */
export interface Decipher {
  /** The packet that is arriving, as far as it is there, from its fifth byte on. */
  readonly _packet: Uint8Array | null;
  /** How many bytes of its length are there. */
  readonly _lenBytes?: number;
  _onPayload(payload: Uint8Array): unknown;
}

/** How the client asks to be let in. */
export interface Login {
  authNone(user: string): void;
  authPK(
    user: string,
    key: ParsedKey,
    algorithm: string,
    sign: (data: Buffer, send: (signature: Buffer) => void) => void,
  ): void;
}

/** The server's side of a channel. */
interface Outgoing {
  readonly id: number;
  readonly state: 'open' | 'eof' | 'closing' | 'closed';
}
/** This end's side of a channel. */
interface Incoming {
  /** How many bytes the server may still send. */
  window: number;
}
interface WindowAdjuster {
  channelWindowAdjust(channel: number, bytes: number): void;
}
interface ProcessRequester {
  signal(channel: number, name: string): void;
  windowChange(channel: number, rows: number, columns: number, height: number, width: number): void;
}

interface Protocol extends Login, WindowAdjuster, ProcessRequester {
  readonly _handlers: Partial<MessageHandlers>;
  readonly _cipher: Partial<Cipher>;
  readonly _decipher: Partial<Decipher>;
}

/** AES-GCM alone says in the open how long a packet is (RFC 5647, 7.3). */
const OPEN_LENGTH = /^AESGCMDecipher/;

/** Those that hold the one named, and what a handler is called with first. */
export function handlersOf<K extends keyof MessageHandlers>(
  client: Client,
  name: K,
): { readonly protocol: unknown; readonly handlers: Pick<MessageHandlers, K> } | undefined {
  const protocol = protocolOf(client);
  const handlers = protocol?._handlers;
  return hasMethods(handlers, name) ? { protocol, handlers } : undefined;
}

export function cipherOf(client: Client): Cipher | undefined {
  const cipher = protocolOf(client)?._cipher;
  return hasMethods(cipher, 'allocPacket', 'encrypt') ? cipher : undefined;
}

/** That which has the decipher of the moment. */
export function decipheringOf(client: Client): { readonly _decipher: Decipher } | undefined {
  const protocol = protocolOf(client);
  return hasDecipher(protocol) ? protocol : undefined;
}

export function hasOpenLengths(decipher: Decipher): boolean {
  return OPEN_LENGTH.test(decipher.constructor.name);
}

export function loginOf(client: Client): Login | undefined {
  const protocol = protocolOf(client);
  return hasMethods(protocol, 'authNone', 'authPK') ? protocol : undefined;
}

export interface ChannelWindow {
  readonly incoming: Incoming;
  readonly outgoing: Outgoing;
  readonly protocol: WindowAdjuster;
}

export function windowOf(channel: ClientChannel): ChannelWindow | undefined {
  const { incoming, outgoing, protocol } = insideOf(channel);
  if (typeof incoming?.window !== 'number' || !isOutgoing(outgoing)) return undefined;
  if (!hasMethods(protocol, 'channelWindowAdjust')) return undefined;
  return { incoming: incoming as Incoming, outgoing, protocol };
}

export interface ProcessRequests {
  readonly outgoing: Outgoing;
  readonly protocol: ProcessRequester;
}

export function processRequestsOf(channel: ClientChannel): ProcessRequests | undefined {
  const { outgoing, protocol } = insideOf(channel);
  if (!isOutgoing(outgoing) || !hasMethods(protocol, 'signal', 'windowChange')) return undefined;
  return { outgoing, protocol };
}

function protocolOf(client: Client | undefined): Partial<Protocol> | undefined {
  return (client as { readonly _protocol?: Partial<Protocol> } | undefined)?._protocol;
}

function insideOf(channel: ClientChannel) {
  const { incoming, outgoing, _client } = channel as {
    readonly incoming?: Partial<Incoming>;
    readonly outgoing?: Partial<Outgoing>;
    readonly _client?: Client;
  };
  return { incoming, outgoing, protocol: protocolOf(_client) };
}

function isOutgoing(outgoing: Partial<Outgoing> | undefined): outgoing is Outgoing {
  return typeof outgoing?.id === 'number' && typeof outgoing.state === 'string';
}

function hasDecipher(
  protocol: Partial<Protocol> | undefined,
): protocol is Partial<Protocol> & { readonly _decipher: Decipher } {
  const decipher = protocol?._decipher;
  return (
    typeof decipher?._onPayload === 'function' &&
    (decipher._packet === null || decipher._packet instanceof Uint8Array)
  );
}

function hasMethods<T extends object, K extends keyof T>(
  holder: Partial<T> | undefined,
  ...names: K[]
): holder is Partial<T> & Pick<T, K> {
  return names.every((name) => typeof holder?.[name] === 'function');
}
