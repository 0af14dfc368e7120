import assert from 'node:assert/strict';
import { check } from './check.ts';
import { corpusFolders, corpusOf } from './corpus.ts';
import { TARGETS } from './targets.ts';

const MAX_CORPUS_BYTES = 500_000;

describe('what fuzzing has found', () => {
  for (const target of TARGETS) {
    it(`holds no surprise for ${target.name}`, () => {
      for (const input of [...target.seeds, ...corpusOf(target)]) check(target, input);
    });
  }

  it('is of targets that there are, and small', () => {
    const names = TARGETS.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
    assert.deepEqual(
      corpusFolders().filter((folder) => !names.includes(folder)),
      [],
    );
    const bytes = TARGETS.flatMap(corpusOf).reduce((sum, input) => sum + input.length, 0);
    assert.ok(bytes < MAX_CORPUS_BYTES, `${bytes} bytes`);
  });

  it('begins with seeds that are understood, so that mutations come far', () => {
    for (const target of TARGETS) {
      const understood = target.seeds.some((seed) => check(target, seed, 1).error === undefined);
      assert.ok(understood, target.name);
    }
  });
});
