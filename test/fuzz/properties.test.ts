import fc from 'fast-check';
import { check } from './check.ts';
import { corpusOf } from './corpus.ts';
import { MUTATIONS, type Mutation, mutate } from './mutate.ts';
import type { Target } from './target.ts';
import { TARGETS } from './targets.ts';

/** For each target; `npm run fuzz` goes on for as long as one likes. */
const RUNS = 60;

const fraction = fc.integer({ min: 0, max: 9_999 }).map((value) => value / 10_000);
const mutation: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom(...MUTATIONS),
  at: fraction,
  to: fraction,
  value: fraction,
});

/** Something understood, changed a few times: cut, repeated, reordered, its lengths made to lie. */
function spoiled(target: Target): fc.Arbitrary<Uint8Array> {
  const inputs = [...target.seeds, ...corpusOf(target)];
  const changes = fc.array(fc.tuple(mutation, fc.constantFrom(...inputs)), {
    minLength: 1,
    maxLength: 5,
  });
  return fc
    .tuple(fc.constantFrom(...inputs), changes)
    .map(([input, list]) =>
      list.reduce((bytes, [change, other]) => mutate(bytes, change, target.framing, other), input),
    );
}

describe('whatever comes', () => {
  for (const target of TARGETS) {
    const how = target.whole === true ? '' : ', in any pieces';
    it(`is an answer or an error of its own for ${target.name}${how}`, () => {
      const inputs = fc.oneof(spoiled(target), fc.uint8Array({ maxLength: 64 }));
      fc.assert(
        fc.property(inputs, (input) => void check(target, input, 4)),
        { numRuns: RUNS },
      );
    });
  }
});
