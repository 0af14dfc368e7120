import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ERROR_CODES } from '../../src/protocol/errors.ts';

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

describe('a hint', () => {
  it('stands beside every code, and begins no sentence', () => {
    for (const [code, { hint }] of Object.entries(ERROR_CODES)) {
      assert.match(hint, /^[a-z`]/, code);
      assert.doesNotMatch(hint, /\.$/, code);
    }
  });
});
