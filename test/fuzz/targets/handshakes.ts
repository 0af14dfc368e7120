import {
  digest,
  encodeAck,
  encodeChallenge,
  encodeName,
  encodeReply,
  encodeStatus,
  framed,
  type HandshakeVersion,
} from '../../../src/erlang/handshake.ts';
import type { Caller } from '../../../src/erlang/is-auth.ts';
import { encodeComplement } from '../../support/handshakes.ts';
import { hex } from '../target.ts';

export const CALLER: Caller = { name: 'caller@host', creation: 5 };
const FLAGS = 0x4_0701_07ffn;
/** What a NodeClient asks whose random numbers are 1. */
const CLIENT_CHALLENGE = 1;

/** All that a connector says whose cookie is `secret`, with a message behind it. */
export function connectorSays(version: HandshakeVersion, challenge = 99): Uint8Array {
  const name = encodeName({ version, flags: FLAGS, creation: 5, name: CALLER.name });
  const complement = version === 5 ? [encodeComplement({ flagsHigh: 4, creation: 5 })] : [];
  const reply = encodeReply({ challenge: 7, digest: digest('secret', challenge) });
  return Buffer.concat([...[name, ...complement, reply].map(framed), hex('0000000370aabb')]);
}

/** All that an acceptor says whose cookie is `secret`, with a tick and a message behind it. */
export function acceptorSays(version: HandshakeVersion, asked = CLIENT_CHALLENGE): Uint8Array {
  const frames = [
    encodeStatus('ok'),
    encodeChallenge({ version, flags: FLAGS, challenge: 99, creation: 6, name: 'app@dyno' }),
    encodeAck({ digest: digest('secret', asked) }),
  ];
  return Buffer.concat([...frames.map(framed), hex('000000000000000370aabb')]);
}
