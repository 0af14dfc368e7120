import {
  HandshakeFrames,
  MAX_HANDSHAKE_FRAME_BYTES,
  MessageRuns,
} from '../../../src/erlang/framing.ts';
import {
  decodeAcceptorFrame,
  decodeConnectorFrame,
  encodeChallenge,
  encodeName,
  encodeReply,
  encodeStatus,
  framed,
} from '../../../src/erlang/handshake.ts';
import { answerIsAuth, isAuthCall, isYes, MessageReader } from '../../../src/erlang/is-auth.ts';
import { NodeClient } from '../../../src/erlang/node-client.ts';
import type { ErrorCode } from '../../../src/protocol/errors.ts';
import { encodeComplement } from '../../support/handshakes.ts';
import { endless, hex, hold, type Target } from '../target.ts';
import { acceptorSays, CALLER, connectorSays } from './handshakes.ts';

type DecodeFrame = typeof decodeConnectorFrame | typeof decodeAcceptorFrame;

/**
 * One side's frames. What follows a handshake has lengths of another kind and is left out of the
 * seeds.
 */
function handshakeTarget(
  side: 'connector' | 'acceptor',
  decode: DecodeFrame,
  seeds: readonly Uint8Array[],
): Target {
  return {
    name: `distribution-${side}`,
    errors: ['HANDSHAKE_REFUSED'],
    framing: 'u16',
    seeds,
    open: (told) => {
      const frames = new HandshakeFrames();
      let isOverlong = false;
      return {
        push: (chunk) => {
          if (isOverlong) return;
          frames.push(chunk);
          for (let frame = frames.next(); frame !== undefined; frame = frames.next()) {
            if (typeof frame === 'string') {
              told.fact(frame);
              isOverlong = true;
              return;
            }
            hold(frame.length < MAX_HANDSHAKE_FRAME_BYTES, 'a frame over the cap');
            told.fact(tryFrame(frame, decode));
          }
        },
      };
    },
    flood: { chunks: () => endless(hex('0fff'), new Uint8Array(1)), mayHoldBytes: 8_192 },
  };
}

const handshakes: readonly Target[] = [
  handshakeTarget(
    'connector',
    decodeConnectorFrame,
    [connectorSays(6), connectorSays(5)].map((bytes) => bytes.subarray(0, -7)),
  ),
  handshakeTarget(
    'acceptor',
    decodeAcceptorFrame,
    [acceptorSays(6), acceptorSays(5)].map((bytes) => bytes.subarray(0, -11)),
  ),
];

function tryFrame(frame: Uint8Array, decode: DecodeFrame): unknown {
  const bytes = Uint8Array.from(frame);
  const decoded = decode(bytes);
  if (decoded.kind === 'reply') same(encodeReply(decoded), bytes);
  else if (decoded.kind === 'complement') same(encodeComplement(decoded), bytes);
  else if (decoded.kind === 'challenge' && decoded.version === 6) {
    // A name that is no UTF-8 is shown with replacements.
    if (!decoded.name.includes('\uFFFD')) same(encodeChallenge(decoded), bytes);
  }
  return decoded;
}

/** As long as it reads: what stands behind the known fields is room for later releases. */
function same(again: Uint8Array, bytes: Uint8Array): void {
  hold(again.length <= bytes.length, 'a frame grows when repeated');
  hold(Buffer.compare(again, bytes.subarray(0, again.length)) === 0, 'a frame changes');
}

const MESSAGES = Buffer.concat([
  isAuthCall(CALLER),
  hex('00000000'),
  hex('0000000370aabb'),
  hex('00000000'),
  hex('00000101'),
  new Uint8Array(257),
]);

const messages: Target = {
  name: 'distribution-messages',
  errors: [],
  framing: 'u32',
  seeds: [MESSAGES, hex('0000000000000000'), hex('ffffffff00')],
  open: (told) => {
    const runs = new MessageRuns(256);
    return {
      push: (chunk) => {
        for (const piece of runs.push(chunk)) {
          hold(piece.length > 0, 'an empty piece');
          told.bytes('messages', piece);
        }
      },
      end: () => {
        told.fact({ atBoundary: runs.atBoundary });
        told.bytes('rest', runs.rest());
        hold(runs.rest().length === 0, 'what is held is given twice');
      },
    };
  },
  flood: { chunks: () => endless(hex('000000ff'), new Uint8Array(1)), mayHoldBytes: 1_024 },
};

const messageReader: Target = {
  name: 'distribution-bodies',
  errors: [],
  framing: 'u32',
  seeds: [MESSAGES, hex('0001000100'), hex('ffffffff00')],
  open: (told) => {
    const reader = new MessageReader();
    return {
      push: (chunk) => {
        for (const body of reader.push(chunk)) {
          hold(body.length <= 65_536, 'a body over the cap');
          told.fact(Buffer.from(body).toString('latin1'));
          told.fact(isYes(body, CALLER));
          answerIsAuth(body);
        }
      },
    };
  },
  flood: { chunks: () => endless(hex('00010000'), new Uint8Array(1)), mayHoldBytes: 131_072 },
};

const CLIENT_ERRORS: readonly ErrorCode[] = [
  'COOKIE_REFUSED',
  'HANDSHAKE_REFUSED',
  'NODE_UNREACHABLE',
];

const nodeClient: Target = {
  name: 'node-client',
  errors: [],
  framing: 'u16',
  seeds: [
    acceptorSays(6),
    acceptorSays(5),
    framed(encodeStatus('alive')),
    framed(encodeStatus('not_allowed')),
    framed(encodeStatus('named:', { name: 'x@y', creation: 5 })),
    framed(encodeName({ version: 6, flags: 1n, creation: 1, name: 'a@b' })),
  ],
  open: (told) => {
    const client = new NodeClient({
      cookie: 'secret',
      host: 'localhost',
      version: 6,
      random: () => 1,
    });
    told.bytes('send', client.start());
    return {
      push: (chunk) => {
        for (const bytes of client.receive(chunk, 0)) told.bytes('send', bytes);
      },
      end: () => {
        client.ended();
        const { outcome } = client;
        hold(outcome !== undefined, 'no outcome at the end of the connection');
        if (outcome.kind === 'failed') {
          hold(CLIENT_ERRORS.includes(outcome.error.code), outcome.error.code);
          told.fact(outcome.error.code);
        } else told.fact(outcome);
      },
    };
  },
  flood: { chunks: () => endless(hex('0fff'), new Uint8Array(1)), mayHoldBytes: 8_192 },
};

export const ERLANG_TARGETS: readonly Target[] = [
  ...handshakes,
  messages,
  messageReader,
  nodeClient,
];
