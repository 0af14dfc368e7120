/**
 * A codec written straight from docs/protocol.md, without a thought for speed or streaming: the
 * twin of the real one.
 */
import type { Directory } from '../../src/protocol/directory.ts';
import type { Frame } from '../../src/protocol/frames.ts';

const TYPES: Record<Frame['type'], number> = {
  PROOF: 0x01,
  REFUSE: 0x02,
  ATTACH: 0x03,
  ATTACHED: 0x04,
  ACK: 0x05,
  PING: 0x06,
  PONG: 0x07,
  GOODBYE: 0x08,
  TAIL: 0x09,
  OPEN: 0x41,
  ACCEPT: 0x42,
  REJECT: 0x43,
  DATA: 0x44,
  CREDIT: 0x45,
  FIN: 0x46,
  RESET: 0x47,
  DIRECTORY: 0xc8,
};

function number(value: number | bigint, bytes: number): number[] {
  const hex = value.toString(16).padStart(bytes * 2, '0');
  return [...Buffer.from(hex, 'hex')];
}

function text(value: string): number[] {
  return [...Buffer.from(value, 'utf8')];
}

function counted(value: string): number[] {
  return [...number(text(value).length, 2), ...text(value)];
}

function directoryPayload(directory: Directory): number[] {
  return [
    ...number(directory.epoch, 4),
    Number(directory.epmdDown) + 2 * Number(directory.truncated),
    ...number(directory.nodes.length, 2),
    ...directory.nodes.flatMap((node) => [
      ...counted(node.name),
      node.visible ? 77 : 72,
      Number(node.cookieKnown),
      ...number(node.port, 2),
      ...number(node.creation, 4),
      ...counted(node.release),
    ]),
  ];
}

function payloadOf(frame: Frame): number[] {
  switch (frame.type) {
    case 'PROOF':
      return [...frame.proof];
    case 'REFUSE':
    case 'GOODBYE':
    case 'REJECT':
    case 'RESET':
      return [...number(frame.code, 2), ...text(frame.text)];
    case 'ATTACH':
      return [
        frame.kind === 'new' ? 0 : 1,
        ...Buffer.from(frame.sessionId, 'hex'),
        ...number(frame.received, 8),
      ];
    case 'ATTACHED':
      return [frame.kind === 'new' ? 0 : 1, ...number(frame.received, 8)];
    case 'ACK':
      return number(frame.received, 8);
    case 'PING':
    case 'PONG':
      return number(frame.token, 8);
    case 'TAIL':
    case 'DATA':
      return [...frame.payload];
    case 'OPEN':
      return [frame.streamClass === 'interactive' ? 0 : 1, ...text(frame.target)];
    case 'CREDIT':
      return number(frame.limit, 8);
    case 'ACCEPT':
    case 'FIN':
      return [];
    case 'DIRECTORY':
      return directoryPayload(frame.directory);
  }
}

export function naiveEncode(frame: Frame): Uint8Array {
  const payload = payloadOf(frame);
  const stream = 'stream' in frame ? frame.stream : 0;
  const header = [TYPES[frame.type], ...number(payload.length, 3), ...number(stream, 4)];
  return Uint8Array.from([...header, ...payload]);
}

export interface NaiveFrame {
  readonly type: number;
  readonly stream: number;
  readonly payload: Uint8Array;
  readonly reliable: boolean;
}

/** Cuts whole bytes into frames; what is behind the last whole frame is left out. */
export function naiveSplit(bytes: Uint8Array): NaiveFrame[] {
  const frames: NaiveFrame[] = [];
  let rest = Buffer.from(bytes);
  while (rest.length >= 8 && rest.length >= 8 + rest.readUIntBE(1, 3)) {
    const type = rest.readUInt8(0);
    const end = 8 + rest.readUIntBE(1, 3);
    frames.push({
      type,
      stream: rest.readUInt32BE(4),
      payload: rest.subarray(8, end),
      reliable: Math.floor(type / 0x40) % 2 === 1,
    });
    rest = rest.subarray(end);
  }
  return frames;
}

/** How many of the first `length` bytes of a stream of frames belong to reliable ones. */
export function naiveReliableCount(bytes: Uint8Array, length: number): number {
  let count = 0;
  let at = 0;
  for (const frame of naiveSplit(bytes)) {
    const end = at + 8 + frame.payload.length;
    if (frame.reliable) count += Math.max(0, Math.min(length, end) - at);
    at = end;
  }
  return count;
}
