import { FrameType, SESSION_ID_BYTES } from './constants.ts';
import { parseDirectory } from './directory.ts';
import { EpmuxError } from './errors.ts';
import type { EndReason, Frame, FrameOf, StreamClass, WholeFrame } from './frames.ts';
import { FRAME_SHAPES } from './frames.ts';
import { PayloadReader } from './payload-reader.ts';

type PayloadParsers = {
  readonly [T in WholeFrame['type']]: (reader: PayloadReader, stream: number) => FrameOf<T>;
};

const PAYLOADS: Omit<PayloadParsers, 'DIRECTORY'> = {
  PROOF: (reader) => ({ type: 'PROOF', proof: reader.bytes(reader.left) }),
  REFUSE: (reader) => ({ type: 'REFUSE', ...readReason(reader) }),
  ATTACH: (reader) => ({
    type: 'ATTACH',
    kind: readChoice(reader, 'kind', ['new', 'resume']),
    sessionId: reader.hex(SESSION_ID_BYTES),
    received: reader.position(),
  }),
  ATTACHED: (reader) => ({
    type: 'ATTACHED',
    kind: readChoice(reader, 'kind', ['new', 'resumed']),
    received: reader.position(),
  }),
  ACK: (reader) => ({ type: 'ACK', received: reader.position() }),
  PING: (reader) => ({ type: 'PING', token: reader.token() }),
  PONG: (reader) => ({ type: 'PONG', token: reader.token() }),
  GOODBYE: (reader) => ({ type: 'GOODBYE', ...readReason(reader) }),
  OPEN: (reader, stream) => ({
    type: 'OPEN',
    stream,
    streamClass: readChoice<StreamClass>(reader, 'class', ['interactive', 'bulk']),
    target: reader.text(reader.left),
  }),
  ACCEPT: (_reader, stream) => ({ type: 'ACCEPT', stream }),
  REJECT: (reader, stream) => ({ type: 'REJECT', stream, ...readReason(reader) }),
  CREDIT: (reader, stream) => ({ type: 'CREDIT', stream, limit: reader.position() }),
  FIN: (_reader, stream) => ({ type: 'FIN', stream }),
  RESET: (reader, stream) => ({ type: 'RESET', stream, ...readReason(reader) }),
};

const NAMES: ReadonlyMap<number, Frame['type']> = new Map(
  Object.entries(FrameType).map(([name, type]) => [type, name as Frame['type']]),
);

/** The name of a type on the wire; undefined when this version does not know it. */
export function frameName(type: number): Frame['type'] | undefined {
  return NAMES.get(type);
}

/**
 * Refuses a header whose payload length or stream id the page does not allow, before any of the
 * payload is there.
 */
export function checkHeader(name: Frame['type'], length: number, stream: number): void {
  const shape = FRAME_SHAPES[name];
  if (length < shape.minBytes || length > shape.maxBytes) {
    throw new EpmuxError('PROTOCOL', `malformed ${name}: a payload of ${length} bytes`);
  }
  if (shape.onStream !== (stream !== 0)) {
    throw new EpmuxError('PROTOCOL', `malformed ${name}: on stream ${stream}`);
  }
}

/** Nothing of the result refers to `payload`. The header has been checked. */
export function parsePayload(
  name: WholeFrame['type'],
  stream: number,
  payload: Uint8Array,
): WholeFrame {
  if (name === 'DIRECTORY') return { type: name, directory: parseDirectory(payload) };
  return PAYLOADS[name](new PayloadReader(payload, name), stream);
}

function readReason(reader: PayloadReader): EndReason {
  return { code: reader.u16(), text: reader.personalText() };
}

function readChoice<T extends string>(
  reader: PayloadReader,
  field: string,
  choices: readonly [T, T],
): T {
  const value = reader.u8();
  const choice = choices[value];
  if (choice === undefined) throw reader.malformed(`${field} ${value}`);
  return choice;
}
