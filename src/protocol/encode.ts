import { FRAME_HEADER_BYTES, FrameType, MAX_TEXT_BYTES, SESSION_ID_BYTES } from './constants.ts';
import { encodeDirectory } from './directory.ts';
import { EpmuxError } from './errors.ts';
import type { EndReason, Frame, FrameOf } from './frames.ts';
import { FRAME_SHAPES } from './frames.ts';
import { encodeText, encodeTextWithin } from './text.ts';

const NO_PAYLOAD = new Uint8Array(0);

type PayloadEncoders = { readonly [T in Frame['type']]: (frame: FrameOf<T>) => Uint8Array };

const PAYLOADS: PayloadEncoders = {
  PROOF: (frame) => frame.proof,
  REFUSE: encodeReason,
  ATTACH: (frame) => {
    const payload = Buffer.alloc(1 + SESSION_ID_BYTES + 8);
    payload.writeUInt8(frame.kind === 'resume' ? 1 : 0, 0);
    if (payload.write(frame.sessionId, 1, SESSION_ID_BYTES, 'hex') !== SESSION_ID_BYTES) {
      throw unencodable('ATTACH', 'a session id is 32 hexadecimal digits');
    }
    payload.set(encodePosition(frame.received), 1 + SESSION_ID_BYTES);
    return payload;
  },
  ATTACHED: (frame) =>
    Buffer.concat([
      Uint8Array.of(frame.kind === 'resumed' ? 1 : 0),
      encodePosition(frame.received),
    ]),
  ACK: (frame) => encodePosition(frame.received),
  PING: (frame) => encodeToken(frame.token),
  PONG: (frame) => encodeToken(frame.token),
  GOODBYE: encodeReason,
  TAIL: (frame) => frame.payload,
  OPEN: (frame) =>
    Buffer.concat([Uint8Array.of(frame.streamClass === 'bulk' ? 1 : 0), encodeText(frame.target)]),
  ACCEPT: () => NO_PAYLOAD,
  REJECT: encodeReason,
  DATA: (frame) => frame.payload,
  CREDIT: (frame) => encodePosition(frame.limit),
  FIN: () => NO_PAYLOAD,
  RESET: encodeReason,
  DIRECTORY: (frame) => encodeDirectory(frame.directory),
};

/**
 * The frame's bytes, header included. Text for a person is cut to its bound, a directory to what
 * fits; anything else that the page's bounds do not allow is an INTERNAL error.
 */
export function encodeFrame(frame: Frame): Uint8Array {
  const payload = encodePayload(frame.type, frame);
  const shape = FRAME_SHAPES[frame.type];
  if (payload.length < shape.minBytes || payload.length > shape.maxBytes) {
    throw unencodable(frame.type, `a payload of ${payload.length} bytes`);
  }
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + payload.length);
  const stream = 'stream' in frame ? frame.stream : 0;
  writeHeader(bytes, 0, FrameType[frame.type], payload.length, stream);
  bytes.set(payload, FRAME_HEADER_BYTES);
  return bytes;
}

function encodePayload<T extends Frame['type']>(type: T, frame: Frame): Uint8Array {
  return PAYLOADS[type](frame as FrameOf<T>);
}

/** Writes the eight bytes of a header; the caller answers for the page's bounds. */
export function writeHeader(
  target: Uint8Array,
  offset: number,
  type: number,
  length: number,
  stream: number,
): void {
  target[offset] = type;
  target[offset + 1] = length >>> 16;
  target[offset + 2] = length >>> 8;
  target[offset + 3] = length;
  target[offset + 4] = stream >>> 24;
  target[offset + 5] = stream >>> 16;
  target[offset + 6] = stream >>> 8;
  target[offset + 7] = stream;
}

/** The header of a TAIL whose payload is `length` bytes of the reliable sequence. */
export function tailHeader(length: number): Uint8Array {
  const header = new Uint8Array(FRAME_HEADER_BYTES);
  writeHeader(header, 0, FrameType.TAIL, length, 0);
  return header;
}

function encodeReason(reason: EndReason): Uint8Array {
  const text = encodeTextWithin(reason.text, MAX_TEXT_BYTES);
  const payload = Buffer.alloc(2 + text.length);
  payload.writeUInt16BE(reason.code, 0);
  payload.set(text, 2);
  return payload;
}

function encodePosition(position: number): Uint8Array {
  if (!Number.isSafeInteger(position) || position < 0) {
    throw new EpmuxError('INTERNAL', `no position on the wire: ${position}`);
  }
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32BE(Math.floor(position / 2 ** 32), 0);
  bytes.writeUInt32BE(position % 2 ** 32, 4);
  return bytes;
}

function encodeToken(token: bigint): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(token);
  return bytes;
}

function unencodable(type: Frame['type'], why: string): EpmuxError {
  return new EpmuxError('INTERNAL', `no ${type} frame for the wire: ${why}`);
}
