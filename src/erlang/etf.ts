/**
 * As much of Erlang's external term format as a call of a registered process needs: integers,
 * atoms, tuples, lists, binaries, pids and references.
 */
import { type ByteReader, concat, text, u16, u32 } from './bytes.ts';

export type Term =
  | { readonly type: 'integer'; readonly value: number }
  | { readonly type: 'atom'; readonly name: string }
  | { readonly type: 'tuple'; readonly elements: readonly Term[] }
  /** `tail` is not there in a proper list. */
  | { readonly type: 'list'; readonly elements: readonly Term[]; readonly tail?: Term }
  | { readonly type: 'binary'; readonly bytes: Uint8Array }
  | PidTerm
  | ReferenceTerm;

export interface PidTerm {
  readonly type: 'pid';
  readonly node: string;
  readonly id: number;
  readonly serial: number;
  readonly creation: number;
}

export interface ReferenceTerm {
  readonly type: 'reference';
  readonly node: string;
  readonly creation: number;
  /** One to five words. */
  readonly ids: readonly number[];
}

const VERSION = 131;
const Tag = {
  smallInteger: 97,
  integer: 98,
  atom: 100,
  pid: 103,
  smallTuple: 104,
  largeTuple: 105,
  nil: 106,
  string: 107,
  list: 108,
  binary: 109,
  reference: 114,
  smallAtom: 115,
  atomUtf8: 118,
  smallAtomUtf8: 119,
  newPid: 88,
  newerReference: 90,
} as const;

const MAX_DEPTH = 32;
const MAX_REFERENCE_WORDS = 5;

export const atom = (name: string): Term => ({ type: 'atom', name });
export const integer = (value: number): Term => ({ type: 'integer', value });
export const tuple = (...elements: readonly Term[]): Term => ({ type: 'tuple', elements });

/** With the version byte before it. */
export function encodeTerm(term: Term): Uint8Array {
  return concat(Uint8Array.of(VERSION), encode(term));
}

function encode(term: Term): Uint8Array {
  switch (term.type) {
    case 'integer':
      return term.value >= 0 && term.value < 256
        ? Uint8Array.of(Tag.smallInteger, term.value)
        : concat(Uint8Array.of(Tag.integer), u32(term.value));
    case 'atom': {
      const name = text(term.name);
      return name.length < 256
        ? concat(Uint8Array.of(Tag.smallAtomUtf8, name.length), name)
        : concat(Uint8Array.of(Tag.atomUtf8), u16(name.length), name);
    }
    case 'tuple': {
      const head = Uint8Array.of(Tag.smallTuple, term.elements.length);
      return concat(head, ...term.elements.map(encode));
    }
    case 'list': {
      const tail = term.tail === undefined ? Uint8Array.of(Tag.nil) : encode(term.tail);
      if (term.elements.length === 0) return tail;
      const head = concat(Uint8Array.of(Tag.list), u32(term.elements.length));
      return concat(head, ...term.elements.map(encode), tail);
    }
    case 'binary':
      return concat(Uint8Array.of(Tag.binary), u32(term.bytes.length), term.bytes);
    case 'pid': {
      const words = concat(u32(term.id), u32(term.serial), u32(term.creation));
      return concat(Uint8Array.of(Tag.newPid), encode(atom(term.node)), words);
    }
    case 'reference': {
      const head = concat(Uint8Array.of(Tag.newerReference), u16(term.ids.length));
      return concat(head, encode(atom(term.node)), u32(term.creation), ...term.ids.map(u32));
    }
  }
}

/**
 * The term at the reader, which stands behind it afterwards. Throws on terms of other types, and on
 * deeper ones than a call has.
 */
export function decodeTerm(reader: ByteReader): Term {
  const version = reader.u8();
  if (version !== VERSION) throw reader.error(`no term begins with ${version}`);
  return decode(reader, MAX_DEPTH);
}

function decode(reader: ByteReader, depth: number): Term {
  if (depth === 0) throw reader.error(`a term nested more than ${MAX_DEPTH} deep`);
  const tag = reader.u8();
  switch (tag) {
    case Tag.smallInteger:
      return integer(reader.u8());
    case Tag.integer:
      return integer(reader.i32());
    case Tag.atom:
      return atom(reader.latin1(reader.u16()));
    case Tag.smallAtom:
      return atom(reader.latin1(reader.u8()));
    case Tag.atomUtf8:
      return atom(reader.text(reader.u16()));
    case Tag.smallAtomUtf8:
      return atom(reader.text(reader.u8()));
    case Tag.smallTuple:
      return { type: 'tuple', elements: decodeMany(reader, reader.u8(), depth) };
    case Tag.largeTuple:
      return { type: 'tuple', elements: decodeMany(reader, reader.u32(), depth) };
    case Tag.nil:
      return { type: 'list', elements: [] };
    case Tag.string:
      return { type: 'list', elements: [...reader.bytes(reader.u16())].map(integer) };
    case Tag.list:
      return decodeList(reader, depth);
    case Tag.binary:
      return { type: 'binary', bytes: reader.bytes(reader.u32()) };
    case Tag.pid:
    case Tag.newPid:
      return decodePid(reader, tag, depth);
    case Tag.reference:
    case Tag.newerReference:
      return decodeReference(reader, tag, depth);
    default:
      throw reader.error(`a term of type ${tag}`);
  }
}

function decodeMany(reader: ByteReader, count: number, depth: number): Term[] {
  // A count is no promise kept: the bytes, of which every element takes one at least, run out
  // first.
  const elements: Term[] = [];
  for (let at = 0; at < count; at += 1) elements.push(decode(reader, depth - 1));
  return elements;
}

function decodeList(reader: ByteReader, depth: number): Term {
  const elements = decodeMany(reader, reader.u32(), depth);
  const tail = decode(reader, depth - 1);
  const proper = tail.type === 'list' && tail.elements.length === 0 && tail.tail === undefined;
  return proper ? { type: 'list', elements } : { type: 'list', elements, tail };
}

function decodeNode(reader: ByteReader, depth: number): string {
  const node = decode(reader, depth - 1);
  if (node.type !== 'atom') throw reader.error('a node that is no atom');
  return node.name;
}

function decodePid(reader: ByteReader, tag: number, depth: number): PidTerm {
  const node = decodeNode(reader, depth);
  const id = reader.u32();
  const serial = reader.u32();
  const creation = tag === Tag.newPid ? reader.u32() : reader.u8();
  return { type: 'pid', node, id, serial, creation };
}

function decodeReference(reader: ByteReader, tag: number, depth: number): ReferenceTerm {
  const words = reader.u16();
  if (words > MAX_REFERENCE_WORDS) throw reader.error(`a reference of ${words} words`);
  const node = decodeNode(reader, depth);
  const creation = tag === Tag.newerReference ? reader.u32() : reader.u8();
  const ids = Array.from({ length: words }, () => reader.u32());
  return { type: 'reference', node, creation, ids };
}

/** Do two references name the same one? The creation is left out: old peers cut it short. */
export function sameReference(one: Term, other: Term): boolean {
  if (one.type !== 'reference' || other.type !== 'reference') return false;
  return one.node === other.node && one.ids.join() === other.ids.join();
}
