/** Both sides' bytes of distribution handshakes, as nodes send them. */
import {
  type ComplementFrame,
  digest,
  encodeAck,
  encodeChallenge,
  encodeName,
  encodeReply,
  encodeStatus,
  Flag,
  framed,
  type HandshakeVersion,
} from '../../src/erlang/handshake.ts';

export const CONNECTOR_CHALLENGE = 0x01020304;
export const ACCEPTOR_CHALLENGE = 0xfedcba98;

export interface Script {
  readonly connectorVersion?: HandshakeVersion;
  readonly acceptorVersion?: HandshakeVersion;
  readonly connectorFlags?: bigint;
  readonly acceptorFlags?: bigint;
  /** No name of its own: `named:`. */
  readonly nameMe?: boolean;
  readonly status?: string;
  readonly connectorCookie?: string;
  readonly acceptorCookie?: string;
}

export interface Said {
  readonly from: 'connector' | 'acceptor';
  readonly bytes: Uint8Array;
}

const FLAGS = Flag.HANDSHAKE_23 | Flag.BIG_CREATION | Flag.PUBLISHED;

/**
 * What a node of OTP 23 or newer sends after its `n`, when the challenge was an `N`: more flags,
 * and its creation.
 */
export function encodeComplement({
  flagsHigh,
  creation,
}: Pick<ComplementFrame, 'flagsHigh' | 'creation'>): Uint8Array {
  const frame = Buffer.alloc(9, 'c');
  frame.writeUInt32BE(flagsHigh, 1);
  frame.writeUInt32BE(creation, 5);
  return frame;
}

/**
 * What is said, in the order in which it is said. The frames are those of the two sides before any
 * relay.
 */
export function handshake(script: Script = {}): Said[] {
  const { connectorVersion = 6, acceptorVersion = 6, nameMe = false, status = 'ok' } = script;
  const nameFlags = (script.connectorFlags ?? FLAGS) | (nameMe ? Flag.NAME_ME : 0n);
  const name = nameMe ? 'laptop' : 'me@laptop';
  const given = nameMe ? { name: '2A@laptop', creation: 9 } : undefined;
  const said: Said[] = [];
  const say = (from: Said['from'], frame: Uint8Array): void => {
    said.push({ from, bytes: framed(frame) });
  };
  say('connector', encodeName({ version: connectorVersion, flags: nameFlags, creation: 3, name }));
  say('acceptor', encodeStatus(nameMe ? 'named:' : status, given));
  if (status === 'alive') say('connector', encodeStatus('true'));
  say(
    'acceptor',
    encodeChallenge({
      version: acceptorVersion,
      flags: script.acceptorFlags ?? FLAGS,
      challenge: ACCEPTOR_CHALLENGE,
      creation: 5,
      name: 'app@dyno',
    }),
  );
  if (connectorVersion === 5 && acceptorVersion === 6) {
    say('connector', encodeComplement({ flagsHigh: 4, creation: 3 }));
  }
  const proof = digest(script.connectorCookie ?? 'cookie', ACCEPTOR_CHALLENGE);
  say('connector', encodeReply({ challenge: CONNECTOR_CHALLENGE, digest: proof }));
  const ack = digest(script.acceptorCookie ?? 'cookie', CONNECTOR_CHALLENGE);
  say('acceptor', encodeAck({ digest: ack }));
  return said;
}

export const TICK: Uint8Array = new Uint8Array(4);

/** A distribution message with so many bytes in it. */
export function message(bytes: number, fill = 112): Uint8Array {
  const whole = Buffer.alloc(4 + bytes, fill);
  whole.writeUInt32BE(bytes);
  return whole;
}
