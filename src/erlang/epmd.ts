import { EpmuxError } from '../protocol/errors.ts';
import { ByteReader, concat, NO_BYTES, Pieces, text, u16 } from './bytes.ts';

/** Room for more than ten thousand names. */
export const MAX_NAMES_ANSWER_BYTES = 1_048_576;
const MAX_SIZED_ANSWER_BYTES = 4_096;

/** What a node says of itself when it registers, and what epmd tells whoever asks for it. */
export interface EpmdNode {
  /** The part before `@`: epmd knows no hosts. */
  readonly name: string;
  readonly port: number;
  /**
   * Type 77 rather than 72. Real nodes register as 77 even when they are hidden; only their
   * handshake tells.
   */
  readonly visible: boolean;
  /** Distribution versions spoken. */
  readonly highest: number;
  readonly lowest: number;
  readonly extra: Uint8Array;
}

export type EpmdRequest =
  | { readonly kind: 'alive'; readonly node: EpmdNode }
  | { readonly kind: 'port'; readonly name: string }
  | { readonly kind: 'names' }
  | { readonly kind: 'dump' }
  | { readonly kind: 'kill' }
  | { readonly kind: 'stop'; readonly name: string };

/** The first byte of a request or an answer. */
export const EpmdTag = {
  names: 110,
  dump: 100,
  kill: 107,
  stop: 115,
  aliveX: 118,
  port: 119,
  alive: 120,
  aliveOld: 121,
  portPlease: 122,
} as const;
const VISIBLE = 77;
const HIDDEN = 72;
const TCP = 0;

function garbage(what: string): EpmuxError {
  return new EpmuxError('EPMD_PROTOCOL', what);
}

function withLength16(bytes: Uint8Array): Uint8Array {
  return concat(u16(bytes.length), bytes);
}

/** A node as requests and answers have it. */
export function nodeFields(node: EpmdNode): Uint8Array {
  return concat(
    u16(node.port),
    Uint8Array.of(node.visible ? VISIBLE : HIDDEN, TCP),
    u16(node.highest),
    u16(node.lowest),
    withLength16(text(node.name)),
    withLength16(node.extra),
  );
}

export function readNodeFields(reader: ByteReader): EpmdNode {
  const port = reader.u16();
  const visible = reader.u8() === VISIBLE;
  reader.u8();
  const highest = reader.u16();
  const lowest = reader.u16();
  const name = reader.text(reader.u16());
  const extra = Uint8Array.from(reader.bytes(reader.u16()));
  return { name, port, visible, highest, lowest, extra };
}

export function encodeEpmdRequest(request: EpmdRequest): Uint8Array {
  switch (request.kind) {
    case 'alive':
      return withLength16(concat(Uint8Array.of(EpmdTag.alive), nodeFields(request.node)));
    case 'port':
      return withLength16(concat(Uint8Array.of(EpmdTag.portPlease), text(request.name)));
    case 'stop':
      return withLength16(concat(Uint8Array.of(EpmdTag.stop), text(request.name)));
    case 'names':
    case 'dump':
    case 'kill':
      return withLength16(Uint8Array.of(EpmdTag[request.kind]));
  }
}

export interface EpmdName {
  readonly name: string;
  readonly port: number;
}

export interface EpmdNames {
  readonly epmdPort: number;
  readonly names: readonly EpmdName[];
}

/** Collects one answer of epmd within a cap. */
export interface EpmdAnswer<T> {
  /** The answer as soon as it is whole. Throws EPMD_PROTOCOL on anything that is none. */
  push(chunk: Uint8Array): T | undefined;
  /** epmd has closed the connection: the answer, or EPMD_PROTOCOL when it was cut short. */
  end(): T;
}

/** An answer whose own fields tell where it ends. */
class SizedAnswer<T> implements EpmdAnswer<T> {
  #held: Uint8Array = NO_BYTES;
  readonly #decode: (bytes: Uint8Array) => T | undefined;

  constructor(decode: (bytes: Uint8Array) => T | undefined) {
    this.#decode = decode;
  }

  push(chunk: Uint8Array): T | undefined {
    this.#held = concat(this.#held, chunk.subarray(0, MAX_SIZED_ANSWER_BYTES - this.#held.length));
    const answer = this.#decode(this.#held);
    if (answer === undefined && this.#held.length === MAX_SIZED_ANSWER_BYTES) {
      throw garbage(`an epmd answer of more than ${MAX_SIZED_ANSWER_BYTES} bytes`);
    }
    return answer;
  }

  end(): T {
    throw garbage(`epmd closed the connection after ${this.#held.length} bytes of its answer`);
  }
}

/** An answer that lasts until epmd closes the connection. */
class WholeAnswer<T> implements EpmdAnswer<T> {
  readonly #held = new Pieces();
  readonly #decode: (bytes: Uint8Array) => T;

  constructor(decode: (bytes: Uint8Array) => T) {
    this.#decode = decode;
  }

  push(chunk: Uint8Array): undefined {
    if (this.#held.length + chunk.length > MAX_NAMES_ANSWER_BYTES) {
      throw garbage(`an epmd answer of more than ${MAX_NAMES_ANSWER_BYTES} bytes`);
    }
    this.#held.push(chunk);
  }

  end(): T {
    return this.#decode(this.#held.take());
  }
}

/** `{ node: undefined }`: epmd knows no node of that name. */
export function portAnswer(): EpmdAnswer<{ readonly node: EpmdNode | undefined }> {
  return new SizedAnswer((bytes) => {
    const [tag] = bytes;
    if (tag !== undefined && tag !== EpmdTag.port) throw garbage(`epmd has no answer ${tag}`);
    if (bytes.length < 2) return undefined;
    if (bytes[1] !== 0) return { node: undefined };
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (view.length < 12) return undefined;
    const extraAt = 12 + view.readUInt16BE(10);
    if (view.length < extraAt + 2) return undefined;
    if (view.length < extraAt + 2 + view.readUInt16BE(extraAt)) return undefined;
    return { node: readNodeFields(new ByteReader(bytes.subarray(2), 'EPMD_PROTOCOL')) };
  });
}

const NAME_LINE = /^name (.+) at port (\d{1,5})$/;
const MAX_PORT = 65_535;

export function namesAnswer(): EpmdAnswer<EpmdNames> {
  return new WholeAnswer((bytes) => {
    const reader = new ByteReader(bytes, 'EPMD_PROTOCOL');
    const epmdPort = reader.u32();
    if (epmdPort > MAX_PORT)
      throw garbage('an answer that does not begin with the port of an epmd');
    const names: EpmdName[] = [];
    for (const line of reader.text(reader.left).split('\n')) {
      const [, name, digits] = NAME_LINE.exec(line) ?? [];
      const port = Number(digits);
      if (name !== undefined && port <= MAX_PORT) names.push({ name, port });
    }
    return { epmdPort, names };
  });
}
