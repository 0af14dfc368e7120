import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ByteReader } from '../../src/erlang/bytes.ts';
import { atom, decodeTerm, encodeTerm, integer, type Term, tuple } from '../../src/erlang/etf.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { ErlangHost } from '../support/erlang.ts';

const word = fc.nat(0xffff_ffff);
const names = fc.string({ maxLength: 70, unit: 'grapheme' });
const { term: terms } = fc.letrec<{ term: Term }>((tie) => ({
  term: fc.oneof(
    { maxDepth: 4 },
    fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }).map(integer),
    names.map(atom),
    fc
      .uint8Array({ maxLength: 9 })
      .map((bytes): Term => ({ type: 'binary', bytes: Buffer.from(bytes) })),
    fc
      .tuple(names, word, word, word)
      .map(([node, id, serial, creation]): Term => ({ type: 'pid', node, id, serial, creation })),
    fc
      .tuple(names, word, fc.array(word, { minLength: 1, maxLength: 5 }))
      .map(([node, creation, ids]): Term => ({ type: 'reference', node, creation, ids })),
    fc.array(tie('term'), { maxLength: 4 }).map((elements) => tuple(...elements)),
    fc.array(tie('term'), { maxLength: 4 }).map((elements): Term => ({ type: 'list', elements })),
    fc
      .tuple(fc.array(tie('term'), { minLength: 1, maxLength: 3 }), names.map(atom))
      .map(([elements, tail]): Term => ({ type: 'list', elements, tail })),
  ),
}));

function decode(bytes: Uint8Array): Term {
  return decodeTerm(new ByteReader(bytes, 'PROTOCOL'));
}

const isProtocol = (error: unknown): boolean => EpmuxError.is(error, 'PROTOCOL');

describe('external terms', () => {
  it('come out of the decoder as they went in', () => {
    fc.assert(fc.property(terms, (term) => assert.deepEqual(decode(encodeTerm(term)), term)));
  });

  it('of any bytes are a term or PROTOCOL', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          decode(Buffer.concat([Uint8Array.of(131), bytes]));
        } catch (error) {
          assert.ok(isProtocol(error));
        }
      }),
    );
  });

  it('that nest without an end or promise millions of elements are refused', () => {
    const nested = Buffer.concat([Uint8Array.of(131), Buffer.alloc(60_000, Buffer.of(104, 1))]);
    assert.throws(() => decode(nested), isProtocol);
    const promised = Uint8Array.of(131, 105, 255, 255, 255, 255, 106);
    assert.throws(() => decode(promised), isProtocol);
  });

  it('are what a real node writes and reads', async function () {
    this.timeout(30_000);
    const host = await ErlangHost.start();
    try {
      const node = await host.node('terms');
      const write = async (expression: string): Promise<Term> => {
        const text = await node.eval(`base64:encode_to_string(term_to_binary(${expression}))`);
        return decode(Buffer.from(text.slice(1, -1), 'base64'));
      };
      assert.deepEqual(await write('{yes, -7, 200, "", [a|b]}'), {
        type: 'tuple',
        elements: [
          atom('yes'),
          integer(-7),
          integer(200),
          { type: 'list', elements: [] },
          { type: 'list', elements: [atom('a')], tail: atom('b') },
        ],
      });
      const values = { pid: 'self()', reference: 'make_ref()', list: '"ab"', binary: '<<1,2>>' };
      for (const [type, expression] of Object.entries(values)) {
        const base64 = `base64:encode_to_string(term_to_binary(V))`;
        const text = await node.eval(`V = ${expression}, put(v, V), ${base64}`);
        const term = decode(Buffer.from(text.slice(1, -1), 'base64'));
        assert.equal(term.type, type);
        const again = Buffer.from(encodeTerm(term)).toString('base64');
        const check = `T = binary_to_term(base64:decode("${again}")), ${base64.replace('V', 'T')}`;
        const back = await node.eval(check);
        assert.deepEqual(decode(Buffer.from(back.slice(1, -1), 'base64')), term);
      }
    } finally {
      await host.stop();
    }
  });
});
