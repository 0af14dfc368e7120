import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ERROR_CODES } from '../../src/protocol/errors.ts';
import { codesOfTest } from '../support/asserted-codes.ts';

const page = readFileSync(path.join(import.meta.dirname, '../../docs/errors.md'), 'utf8');
const rows = [...page.matchAll(/^\| `([A-Z_]+)` +\| (\d+) +\| (.*?) +\| (.*?) +\|$/gm)].map(
  ([, code = '', exit = '', meaning = '', remedy = '']) => ({ code, exit, meaning, remedy }),
);

describe('docs/errors.md', () => {
  it('has every code once, with its exit code', () => {
    const told = rows.map(({ code, exit }) => `${code} ${exit}`);
    const known = Object.entries(ERROR_CODES).map(([code, { exit }]) => `${code} ${exit}`);
    assert.deepEqual(told.toSorted(), known.toSorted());
  });

  it('says of each what it means and what to do', () => {
    for (const { code, meaning, remedy } of rows) {
      assert.ok(meaning.length > 10 && remedy.length > 10, code);
    }
  });

  it('names each exit code in its list', () => {
    for (const { exit } of Object.values(ERROR_CODES)) {
      assert.match(page, new RegExp(`exit codes:.*\\b${exit} `));
    }
  });
});

describe('every code', () => {
  const codes = Object.keys(ERROR_CODES);

  it('is provoked by a test that asserts it and does not make the error itself', () => {
    const folder = path.join(import.meta.dirname, '..');
    const provoked = new Set<string>();
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.test.ts') || name.endsWith(path.join('docs', 'errors.test.ts')))
        continue;
      const source = readFileSync(path.join(folder, name), 'utf8');
      const { asserted, made } = codesOfTest(name, source, codes);
      for (const code of asserted) if (!made.has(code)) provoked.add(code);
    }
    assert.deepEqual(
      codes.filter((code) => !provoked.has(code)),
      [],
    );
  });

  it('counts where it is asserted, and nowhere else', () => {
    const codesOf = (source: string) => codesOfTest('x.test.ts', source, ['A', 'B']);
    const none = new Set<string>();
    assert.deepEqual(codesOf("it('A', () => f('A', { b: 'B' }));"), { asserted: none, made: none });
    const asserted = new Set(['A']);
    const asserting = [
      "assert.rejects(f, { code: 'A' });",
      "const is = (e) => e.code === 'A';",
      "const is = (e) => EpmuxError.is(e, 'A');",
      'expects(/x \\(A\\)$/);',
    ];
    for (const source of asserting) assert.deepEqual(codesOf(source), { asserted, made: none });
    const making = ["assert.equal(f(new EpmuxError('B', '')), 1);", "const e = { code: 'B' };"];
    for (const source of making) {
      assert.deepEqual(codesOf(source), { asserted: none, made: new Set(['B']) });
    }
  });
});

describe('a hint', () => {
  it('stands beside every code, and begins no sentence', () => {
    for (const [code, { hint }] of Object.entries(ERROR_CODES)) {
      assert.match(hint, /^[a-z`]/, code);
      assert.doesNotMatch(hint, /\.$/, code);
    }
  });
});
