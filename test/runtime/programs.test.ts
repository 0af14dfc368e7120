import assert from 'node:assert/strict';
import { join } from 'node:path';
import { isExecutable, shellQuoted } from '../../src/runtime/programs.ts';

describe('a program', () => {
  it('is a file that may be run', () => {
    assert.ok(isExecutable(process.execPath));
    assert.ok(!isExecutable(import.meta.filename));
  });

  it('is no folder, and nothing that is not there', () => {
    assert.ok(!isExecutable(import.meta.dirname));
    assert.ok(!isExecutable(join(import.meta.dirname, 'none')));
  });
});

describe('a word for a shell', () => {
  it('is one, even where it is empty', () => {
    assert.equal(shellQuoted(''), "''");
    assert.equal(shellQuoted("a'b c"), "'a'\\''b c'");
  });
});
