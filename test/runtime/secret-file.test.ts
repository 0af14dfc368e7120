import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readBoundedSync } from '../../src/runtime/bounded-file.ts';
import {
  MAX_SECRET_BYTES,
  MAX_SECRET_FILE_BYTES,
  secretIn,
} from '../../src/runtime/secret-file.ts';
import { tempFolder } from '../support/temp-folder.ts';

describe('a file that holds one secret', () => {
  const folder = tempFolder();

  function secretOf(text: string): string {
    const path = join(folder.path, 'secret');
    writeFileSync(path, text);
    return secretIn(readBoundedSync(path, MAX_SECRET_FILE_BYTES), path);
  }

  it('gives it without the white space around it', () => {
    assert.equal(secretOf(' a secret\n\n'), 'a secret');
    assert.equal(secretOf(' \n'), '');
    const longest = 'x'.repeat(MAX_SECRET_BYTES);
    assert.equal(secretOf(`\n${longest}\n`), longest);
  });

  it('is refused with its size where it holds more than a secret, and none of it is shown', () => {
    for (const [text, size] of [
      ['x'.repeat(MAX_SECRET_BYTES + 1), / holds 4097 bytes, /],
      ['é'.repeat(MAX_SECRET_BYTES / 2 + 1), / holds 4098 bytes, /],
      ['x'.repeat(50_000), / holds more than 8192 bytes, /],
    ] as const) {
      assert.throws(
        () => secretOf(text),
        ({ code, message }) => {
          assert.equal(code, 'USAGE');
          assert.match(message, size);
          assert.doesNotMatch(message, /xx|éé/);
          return true;
        },
      );
    }
  });
});
