/**
 * The call that `net_adm:ping` makes: `gen:call(net_kernel, {is_auth, node()})`, answered by `yes`.
 */
import { EpmuxError } from '../protocol/errors.ts';
import { ByteReader, concat, Pieces, u32 } from './bytes.ts';
import {
  atom,
  decodeTerm,
  encodeTerm,
  integer,
  type PidTerm,
  type ReferenceTerm,
  sameReference,
  type Term,
  tuple,
} from './etf.ts';

/** A distribution message without atom cache and fragments. */
const PASS_THROUGH = 112;
const Control = { SEND: 2, REG_SEND: 6, SEND_SENDER: 22 } as const;
const EMPTY_ATOM = atom('');
const MAX_MESSAGE_BYTES = 65_536;

/** Name and creation of the node that calls. */
export interface Caller {
  readonly name: string;
  readonly creation: number;
}

function pidOf({ name, creation }: Caller): PidTerm {
  return { type: 'pid', node: name, id: 1, serial: 0, creation };
}

function referenceOf({ name, creation }: Caller): ReferenceTerm {
  return { type: 'reference', node: name, creation, ids: [1, 2, 3] };
}

/** One message with its 4-byte length. */
function encodeMessage(control: Term, message: Term): Uint8Array {
  const body = concat(Uint8Array.of(PASS_THROUGH), encodeTerm(control), encodeTerm(message));
  return concat(u32(body.length), body);
}

/** Control and message of a body; `undefined` when they hold what a call does not. */
function decodeMessage(
  body: Uint8Array,
): { readonly control: Term; readonly message: Term } | undefined {
  const reader = new ByteReader(body, 'PROTOCOL');
  try {
    if (reader.u8() !== PASS_THROUGH) return undefined;
    return { control: decodeTerm(reader), message: decodeTerm(reader) };
  } catch (error) {
    if (error instanceof EpmuxError) return undefined;
    throw error;
  }
}

export function isAuthCall(caller: Caller): Uint8Array {
  const pid = pidOf(caller);
  const question = tuple(atom('is_auth'), atom(caller.name));
  return encodeMessage(
    tuple(integer(Control.REG_SEND), pid, EMPTY_ATOM, atom('net_kernel')),
    tuple(atom('$gen_call'), tuple(pid, referenceOf(caller)), question),
  );
}

/** Is this body the answer to `isAuthCall`? */
export function isYes(body: Uint8Array, caller: Caller): boolean {
  const { control, message } = decodeMessage(body) ?? {};
  if (control?.type !== 'tuple' || message?.type !== 'tuple') return false;
  const [operation] = control.elements;
  const [reference, answer] = message.elements;
  if (operation?.type !== 'integer' || reference === undefined) return false;
  const sent = operation.value === Control.SEND || operation.value === Control.SEND_SENDER;
  const isMine = sameReference(reference, referenceOf(caller));
  return sent && isMine && answer?.type === 'atom' && answer.name === 'yes';
}

/**
 * What a node without processes answers to an `is_auth` call: the message, or `undefined` when the
 * body is none.
 */
export function answerIsAuth(body: Uint8Array): Uint8Array | undefined {
  const { control, message } = decodeMessage(body) ?? {};
  if (control?.type !== 'tuple' || message?.type !== 'tuple') return undefined;
  const [tag, from, question] = message.elements;
  if (tag?.type !== 'atom' || tag.name !== '$gen_call') return undefined;
  if (from?.type !== 'tuple' || question?.type !== 'tuple') return undefined;
  const [asked] = question.elements;
  const [pid, reference] = from.elements;
  if (asked?.type !== 'atom' || asked.name !== 'is_auth') return undefined;
  if (pid === undefined || reference === undefined) return undefined;
  return encodeMessage(
    tuple(integer(Control.SEND), EMPTY_ATOM, pid),
    tuple(reference, atom('yes')),
  );
}

/** Divides messages; those over the cap are skipped without being kept. */
export class MessageReader {
  readonly #held = new Pieces();
  #skip = 0;

  /** Bodies in order; an empty one is a tick. */
  push(chunk: Uint8Array): Uint8Array[] {
    const skipped = Math.min(this.#skip, chunk.length);
    this.#skip -= skipped;
    this.#held.push(chunk.subarray(skipped));
    const bodies: Uint8Array[] = [];
    let rest = this.#held.bytes;
    while (rest.length >= 4) {
      const length = new ByteReader(rest, 'PROTOCOL').u32();
      const end = 4 + length;
      if (length > MAX_MESSAGE_BYTES) this.#skip = Math.max(0, end - rest.length);
      else if (rest.length < end) break;
      else bodies.push(rest.subarray(4, end));
      rest = rest.subarray(end);
    }
    if (rest.length < this.#held.length) {
      this.#held.take();
      this.#held.push(rest);
    }
    return bodies;
  }
}
