import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Backoff } from '../../src/runtime/backoff.ts';

describe('backoff', () => {
  it('begins with a fraction of a second and never waits for longer than the most', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
        (draws) => {
          const left = [...draws];
          const backoff = new Backoff({ random: () => left.shift() ?? 0.999 });
          const waits = Array.from({ length: draws.length + 5 }, () => backoff.nextMs());
          assert.ok((waits[0] ?? 0) < 1_000);
          for (const wait of waits) assert.ok(wait >= 200 && wait <= 30_000, `${wait}`);
        },
      ),
    );
  });

  it('grows to the most when luck is bad', () => {
    const backoff = new Backoff({ random: () => 0.999_999 });
    const waits = Array.from({ length: 10 }, () => backoff.nextMs());
    assert.deepEqual(waits.slice(0, 5), [600, 1_800, 5_400, 16_200, 30_000]);
    assert.equal(waits.at(-1), 30_000);
  });

  it('begins anew after a reset', () => {
    const backoff = new Backoff({ random: () => 0.999_999 });
    for (let at = 0; at < 10; at++) backoff.nextMs();
    backoff.reset();
    assert.equal(backoff.nextMs(), 600);
  });

  it('spreads clients that were cut at once', () => {
    const waits = new Set(Array.from({ length: 50 }, () => new Backoff().nextMs()));
    assert.ok(waits.size > 10);
  });
});
