import type { RoleName } from './constants.ts';
import {
  AttributeType,
  BOOT_ID_BYTES,
  MAGIC,
  MAJOR_VERSION,
  MAX_ATTRIBUTES_BYTES,
  MINOR_VERSION,
  NONCE_BYTES,
  REQUIRED_ATTRIBUTE_BIT,
  Role,
} from './constants.ts';
import { EpmuxError } from './errors.ts';
import { PayloadReader } from './payload-reader.ts';
import { encodeTextWithin, printable } from './text.ts';

/** What the other end said of itself in its hello. */
export interface PeerInfo {
  /** The minor version that both ends speak. */
  readonly minor: number;
  readonly software: string;
  /** Hexadecimal; empty when the peer is a daemon. */
  readonly bootId: string;
  readonly hostName: string;
}

/** What an end says of itself. */
export interface HelloAttributes {
  readonly software: string;
  /** 16 bytes. */
  readonly bootId?: Uint8Array | undefined;
  readonly hostName?: string | undefined;
}

/** A hello that has been checked as far as it may be before the proof. */
export interface Hello {
  /** All of it, as the transcript has it. */
  readonly bytes: Uint8Array;
  readonly lowestMajor: number;
  readonly highestMajor: number;
  readonly minor: number;
  /** Not to be looked at before the proof holds. */
  readonly attributes: Uint8Array;
}

const FIXED_BYTES = MAGIC.length + 4 + NONCE_BYTES + 2;
const ROLE_AT = MAGIC.length;
const NONCE_AT = ROLE_AT + 4;
const LENGTH_AT = FIXED_BYTES - 2;
/** The magic up to where a text mode would change it. */
const MAGIC_NAME_BYTES = 5;
/** As much of what is no hello as an error shows. */
const SHOWN_BYTES = 60;
/** Longest software and host name told. */
const MAX_NAME_BYTES = 255;

export function encodeHello(role: RoleName, nonce: Uint8Array, about: HelloAttributes): Uint8Array {
  if (nonce.length !== NONCE_BYTES) {
    throw new EpmuxError('INTERNAL', `a nonce has ${NONCE_BYTES} bytes, not ${nonce.length}`);
  }
  const attributes = encodeAttributes(about);
  const hello = Buffer.alloc(FIXED_BYTES + attributes.length);
  hello.set(MAGIC, 0);
  hello.set([Role[role], MAJOR_VERSION, MAJOR_VERSION, MINOR_VERSION], ROLE_AT);
  hello.set(nonce, NONCE_AT);
  hello.writeUInt16BE(attributes.length, LENGTH_AT);
  hello.set(attributes, FIXED_BYTES);
  return hello;
}

function encodeAttributes(about: HelloAttributes): Uint8Array {
  const attributes = [attribute(AttributeType.software, nameBytes(about.software))];
  if (about.bootId !== undefined) attributes.push(attribute(AttributeType.bootId, about.bootId));
  if (about.hostName !== undefined) {
    attributes.push(attribute(AttributeType.hostName, nameBytes(about.hostName)));
  }
  return Buffer.concat(attributes);
}

function nameBytes(name: string): Uint8Array {
  return encodeTextWithin(name, MAX_NAME_BYTES);
}

function attribute(type: number, value: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(4 + value.length);
  bytes.writeUInt16BE(type, 0);
  bytes.writeUInt16BE(value.length, 2);
  bytes.set(value, 4);
  return bytes;
}

/**
 * The other end's hello at the beginning of `bytes`, as soon as it is there in full; undefined
 * while it is not. Errors: NOT_AN_AGENT where the magic is not (the message shows what came
 * instead), PROTOCOL for a length or a role that can't be.
 */
export function readHello(bytes: Uint8Array, expected: RoleName): Hello | undefined {
  checkMagic(bytes, expected);
  if (bytes.length < FIXED_BYTES) return undefined;
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, FIXED_BYTES);
  if (head.readUInt8(ROLE_AT) !== Role[expected]) {
    throw new EpmuxError('PROTOCOL', `the other end is no ${expected}`);
  }
  const length = head.readUInt16BE(LENGTH_AT);
  if (length > MAX_ATTRIBUTES_BYTES) {
    throw new EpmuxError('PROTOCOL', `a hello with ${length} bytes of attributes`);
  }
  if (bytes.length < FIXED_BYTES + length) return undefined;
  const hello = new Uint8Array(bytes.subarray(0, FIXED_BYTES + length));
  return {
    bytes: hello,
    lowestMajor: head.readUInt8(ROLE_AT + 1),
    highestMajor: head.readUInt8(ROLE_AT + 2),
    minor: head.readUInt8(ROLE_AT + 3),
    attributes: hello.subarray(FIXED_BYTES),
  };
}

/** Whether the whole magic came: only then is the other end told why it is refused. */
export function hasMagic(bytes: Uint8Array): boolean {
  return MAGIC.every((byte, at) => bytes[at] === byte);
}

function checkMagic(bytes: Uint8Array, expected: RoleName): void {
  const length = Math.min(MAGIC.length, bytes.length);
  for (let at = 0; at < length; at++) {
    if (bytes[at] !== MAGIC[at]) throw notEpmux(bytes, at, expected);
  }
}

function notEpmux(bytes: Uint8Array, same: number, expected: RoleName): EpmuxError {
  const code = expected === 'agent' ? 'NOT_AN_AGENT' : 'PROTOCOL';
  if (same >= MAGIC_NAME_BYTES) {
    return new EpmuxError(code, 'the connection changes line ends on their way', {
      hint: 'the way has to carry bytes as they are: no terminal, no text mode',
    });
  }
  const text = Buffer.from(bytes.subarray(0, SHOWN_BYTES)).toString('latin1');
  const line = text.split(/[\r\n]/, 1)[0] ?? '';
  const shown = /^[\x20-\x7e]+$/.test(line) ? ` but says "${line}"` : '';
  return new EpmuxError(code, `the other end is no epmux ${expected}${shown}`);
}

/** The minor version that both ends speak; VERSION_MISMATCH when they have no major in common. */
export function agreeOnMinor(peer: Hello): number {
  const major = Math.min(peer.highestMajor, MAJOR_VERSION);
  if (major < MAJOR_VERSION || peer.lowestMajor > major) {
    throw new EpmuxError(
      'VERSION_MISMATCH',
      `this end speaks version ${MAJOR_VERSION} of the protocol, the other ${peer.lowestMajor} to ${peer.highestMajor}`,
    );
  }
  // An end whose highest major is a later one knows every minor of this one.
  return peer.highestMajor > MAJOR_VERSION ? MINOR_VERSION : Math.min(MINOR_VERSION, peer.minor);
}

/**
 * Only after the proof. Errors: UNSUPPORTED for an unknown required attribute, PROTOCOL for
 * malformed ones.
 */
export function readAttributes(hello: Hello, role: RoleName, minor: number): PeerInfo {
  const reader = new PayloadReader(hello.attributes, 'hello');
  const values = new Map<number, Uint8Array>();
  while (reader.left > 0) {
    const type = reader.u16();
    const value = reader.bytes(reader.u16());
    if (values.has(type)) throw reader.malformed(`attribute ${type} twice`);
    if ((type & REQUIRED_ATTRIBUTE_BIT) !== 0) {
      throw new EpmuxError('UNSUPPORTED', `the other end requires attribute ${type}`);
    }
    values.set(type, value);
  }
  const bootId = values.get(AttributeType.bootId);
  if (role === 'agent' && bootId?.length !== BOOT_ID_BYTES) {
    throw reader.malformed('an agent without a boot id');
  }
  return {
    minor,
    software: attributeText(values.get(AttributeType.software)),
    bootId: role === 'agent' ? Buffer.from(bootId ?? []).toString('hex') : '',
    hostName: attributeText(values.get(AttributeType.hostName)),
  };
}

function attributeText(value: Uint8Array | undefined): string {
  if (value === undefined) return '';
  return printable(new PayloadReader(value, 'hello').personalText());
}
