/** What an epmd does: it reads one request of a connection, and answers. */
import { EpmuxError } from '../protocol/errors.ts';
import { ByteReader, concat, NO_BYTES, text, u16, u32 } from './bytes.ts';
import {
  type EpmdNames,
  type EpmdNode,
  type EpmdRequest,
  EpmdTag,
  nodeFields,
  readNodeFields,
} from './epmd.ts';

/** epmd's own limit for a request. */
export const MAX_EPMD_REQUEST_BYTES = 1_024;

function decodeRequest(body: Uint8Array): EpmdRequest {
  const reader = new ByteReader(body, 'EPMD_PROTOCOL');
  const tag = reader.u8();
  switch (tag) {
    case EpmdTag.alive:
      return { kind: 'alive', node: readNodeFields(reader) };
    case EpmdTag.portPlease:
      return { kind: 'port', name: reader.text(reader.left) };
    case EpmdTag.stop:
      return { kind: 'stop', name: reader.text(reader.left) };
    case EpmdTag.names:
      return { kind: 'names' };
    case EpmdTag.dump:
      return { kind: 'dump' };
    case EpmdTag.kill:
      return { kind: 'kill' };
    default:
      throw reader.error(`epmd has no request ${tag}`);
  }
}

/** Collects the one request of a connection. What follows it is ignored, as epmd does. */
export class EpmdRequestParser {
  #held: Uint8Array = NO_BYTES;
  #done = false;

  /** The request, once, when it is whole. Throws EPMD_PROTOCOL on anything that is none. */
  push(chunk: Uint8Array): EpmdRequest | undefined {
    if (this.#done) return undefined;
    // A length and a body over the cap are refused below, so no more than these bytes matter.
    const room = 2 + MAX_EPMD_REQUEST_BYTES - this.#held.length;
    this.#held = concat(this.#held, chunk.subarray(0, room));
    if (this.#held.length < 2) return undefined;
    const length = new ByteReader(this.#held, 'EPMD_PROTOCOL').u16();
    if (length === 0 || length > MAX_EPMD_REQUEST_BYTES) {
      this.#done = true;
      throw new EpmuxError('EPMD_PROTOCOL', `an epmd request of ${length} bytes`);
    }
    if (this.#held.length < 2 + length) return undefined;
    this.#done = true;
    return decodeRequest(this.#held.subarray(2, 2 + length));
  }
}

/**
 * The answer to a registration. Nodes that speak version 6 are given 32 bits of creation, older
 * ones 16. A result other than 0 refuses the name (1: it is taken).
 */
export function encodeAliveAnswer(
  highest: number,
  answer: { readonly result: number; readonly creation: number },
): Uint8Array {
  return highest >= 6
    ? concat(Uint8Array.of(EpmdTag.aliveX, answer.result), u32(answer.creation))
    : concat(Uint8Array.of(EpmdTag.aliveOld, answer.result), u16(answer.creation));
}

/** `undefined`: epmd knows no node of that name. epmd closes the connection after it. */
export function encodePortAnswer(node: EpmdNode | undefined): Uint8Array {
  if (node === undefined) return Uint8Array.of(EpmdTag.port, 1);
  return concat(Uint8Array.of(EpmdTag.port, 0), nodeFields(node));
}

/** epmd closes the connection after it. */
export function encodeNamesAnswer({ epmdPort, names }: EpmdNames): Uint8Array {
  const lines = names.map(({ name, port }) => `name ${name} at port ${port}\n`);
  return concat(u32(epmdPort), text(lines.join('')));
}
