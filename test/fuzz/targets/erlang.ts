import { ByteReader } from '../../../src/erlang/bytes.ts';
import {
  aliveAnswer,
  type EpmdAnswer,
  EpmdRequestParser,
  encodeAliveAnswer,
  encodeEpmdRequest,
  encodeNamesAnswer,
  encodePortAnswer,
  namesAnswer,
  portAnswer,
} from '../../../src/erlang/epmd.ts';
import {
  atom,
  decodeTerm,
  encodeTerm,
  integer,
  type Term,
  tuple,
} from '../../../src/erlang/etf.ts';
import {
  HandshakeFrames,
  MAX_HANDSHAKE_FRAME_BYTES,
  MessageRuns,
} from '../../../src/erlang/framing.ts';
import {
  decodeAcceptorFrame,
  decodeConnectorFrame,
  encodeChallenge,
  encodeComplement,
  encodeName,
  encodeReply,
  encodeStatus,
  framed,
} from '../../../src/erlang/handshake.ts';
import { answerIsAuth, isAuthCall, isYes, MessageReader } from '../../../src/erlang/is-auth.ts';
import { NodeClient } from '../../../src/erlang/node-client.ts';
import type { ErrorCode } from '../../../src/protocol/errors.ts';
import { ascii, endless, hex, hold, type Target, whole } from '../target.ts';
import { acceptorSays, CALLER, connectorSays } from './handshakes.ts';

const NODE = {
  name: 'app',
  port: 45_678,
  visible: true,
  highest: 6,
  lowest: 5,
  extra: hex('0001'),
};

const epmdRequest: Target = {
  name: 'epmd-request',
  errors: ['EPMD_PROTOCOL'],
  framing: 'u16',
  seeds: [
    encodeEpmdRequest({ kind: 'alive', node: NODE }),
    encodeEpmdRequest({ kind: 'port', name: 'app' }),
    encodeEpmdRequest({ kind: 'stop', name: 'app' }),
    ...(['names', 'dump', 'kill'] as const).map((kind) => encodeEpmdRequest({ kind })),
  ],
  open: (told) => {
    const parser = new EpmdRequestParser();
    return {
      push: (chunk) => {
        const request = parser.push(chunk);
        if (request === undefined) return;
        told.fact(request);
        const again = new EpmdRequestParser().push(encodeEpmdRequest(request));
        hold(again?.kind === request.kind, 'a request changes when repeated');
      },
    };
  },
  flood: { chunks: () => endless(hex('0400'), new Uint8Array(1)), mayHoldBytes: 4_096 },
};

function answerTarget(
  name: string,
  open: () => EpmdAnswer<unknown>,
  seeds: readonly Uint8Array[],
  flood: NonNullable<Target['flood']>,
): Target {
  return {
    name,
    errors: ['EPMD_PROTOCOL'],
    seeds,
    open: (told) => {
      const answer = open();
      let done = false;
      const take = (value: unknown): void => {
        if (value === undefined) return;
        done = true;
        told.fact(value);
      };
      return {
        // Whoever asked closes the connection behind the answer.
        push: (chunk) => done || take(answer.push(chunk)),
        end: () => done || take(answer.end()),
      };
    },
    flood,
  };
}

const epmdAnswers: readonly Target[] = [
  answerTarget(
    'epmd-alive-answer',
    aliveAnswer,
    [
      encodeAliveAnswer(6, { result: 0, creation: 77 }),
      encodeAliveAnswer(5, { result: 1, creation: 2 }),
    ],
    { chunks: () => [], mayHoldBytes: 4_096 },
  ),
  answerTarget(
    'epmd-port-answer',
    portAnswer,
    [encodePortAnswer(NODE), encodePortAnswer(undefined)],
    {
      chunks: () => endless(hex('7700b26e4d00000600050fff'), new Uint8Array(1)),
      mayHoldBytes: 8_192,
    },
  ),
  answerTarget(
    'epmd-names-answer',
    () => {
      const answer = namesAnswer();
      return {
        push: (chunk) => answer.push(chunk),
        end: () => {
          const known = answer.end();
          for (const { name, port } of known.names) {
            hold(port <= 65_535, 'a port that can be none');
            hold(!/\n/.test(name), 'a name of two lines');
          }
          return known;
        },
      };
    },
    [
      encodeNamesAnswer({ epmdPort: 4_369, names: [NODE, { name: 'b at port 1', port: 65_535 }] }),
      encodeNamesAnswer({ epmdPort: 1, names: [{ name: 'c', port: 99_999 }] }),
      ascii('\0\0\x11\x11name app at port 1\nname app at port 2\r\nactive name x at port 3\n'),
    ],
    { chunks: () => endless(hex('00001111'), ascii('n')), mayHoldBytes: 1_048_576 },
  ),
];

type DecodeFrame = typeof decodeConnectorFrame | typeof decodeAcceptorFrame;

/** One side's frames. What follows a handshake has lengths of another kind and is left out of the seeds. */
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
            if (frame === 'overlong') {
              told.fact('overlong');
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

const TERM_SEEDS: readonly Term[] = [
  integer(255),
  integer(-1),
  atom('é'.repeat(200)),
  tuple(atom('a'), { type: 'list', elements: [integer(1)] }),
  { type: 'list', elements: [integer(1)], tail: atom('improper') },
  { type: 'binary', bytes: hex('00ff') },
  { type: 'pid', node: 'a@b', id: 1, serial: 2, creation: 3 },
  { type: 'reference', node: 'a@b', creation: 3, ids: [1, 2, 3] },
];

const terms: Target = {
  name: 'term',
  errors: ['PROTOCOL'],
  whole: true,
  seeds: [
    ...TERM_SEEDS.map(encodeTerm),
    hex('836b0003010203'),
    hex('8369ffffffff'),
    hex('836cffffffff6a'),
    hex(`83${'6801'.repeat(40)}6a`),
    hex('83670000'),
    hex('8367640003614062000000010000000203'),
    hex('8372000164000361406203000000ff'),
  ],
  open: whole((input, told) => {
    const reader = new ByteReader(input, 'PROTOCOL');
    const term = decodeTerm(reader);
    told.fact(term);
    hold(countOf(term) <= input.length, 'more elements than bytes');
    hold(depthOf(term) <= MOST_DEEP, 'a term deeper than a stack may be asked for');
    if (isLargeTuple(term)) return;
    const bytes = encodeTerm(term);
    const again = encodeTerm(decodeTerm(new ByteReader(bytes, 'PROTOCOL')));
    hold(Buffer.compare(again, bytes) === 0, 'a term changes when repeated');
  }),
};

function inner(term: Term): readonly Term[] {
  if (term.type !== 'tuple' && term.type !== 'list') return [];
  const tail = term.type === 'list' && term.tail !== undefined ? [term.tail] : [];
  return [...term.elements, ...tail];
}

/** As etf.ts promises. */
const MOST_DEEP = 32;

function depthOf(term: Term): number {
  return 1 + inner(term).reduce((deepest, element) => Math.max(deepest, depthOf(element)), 0);
}

function countOf(term: Term): number {
  return 1 + inner(term).reduce((sum, element) => sum + countOf(element), 0);
}

/** The encoder knows the small ones only: a call has no others. */
function isLargeTuple(term: Term): boolean {
  const large = term.type === 'tuple' && term.elements.length > 255;
  return large || inner(term).some(isLargeTuple);
}

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
  epmdRequest,
  ...epmdAnswers,
  ...handshakes,
  messages,
  messageReader,
  terms,
  nodeClient,
];
