import { ByteReader } from '../../../src/erlang/bytes.ts';
import {
  atom,
  decodeTerm,
  encodeTerm,
  integer,
  type Term,
  tuple,
} from '../../../src/erlang/etf.ts';
import { hex, hold, type Target, whole } from '../target.ts';

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
    hold(depthOf(term) <= MAX_DEEP, 'a term deeper than a stack may be asked for');
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
const MAX_DEEP = 32;

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

export const TERM_TARGETS: readonly Target[] = [terms];
