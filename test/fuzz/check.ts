import assert from 'node:assert/strict';
import { type Outcome, run, type Target, Violation } from './target.ts';

/** Every place to cut a short input at; of a longer one some of them. */
const MAX_CUTS = 64;

function* byteByByte(input: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < input.length; at += 1) yield Uint8Array.from(input.subarray(at, at + 1));
}

/**
 * A chunk is the decoder's for the time of the call: memory of its own shows who keeps it too long.
 */
function* inTwo(input: Uint8Array, cut: number): Generator<Uint8Array> {
  yield Uint8Array.from(input.subarray(0, cut));
  yield Uint8Array.from(input.subarray(cut));
}

function differs(one: Outcome, other: Outcome): string | undefined {
  try {
    assert.deepStrictEqual(other, one);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Throws what is a finding; gives what the target made of the input. */
export function check(target: Target, input: Uint8Array, cuts = MAX_CUTS): Outcome {
  const outcome = run(target, [Uint8Array.from(input)]);
  if (target.whole === true) return outcome;
  const same = (how: string, chunks: Iterable<Uint8Array>): void => {
    const why = differs(outcome, run(target, chunks));
    if (why !== undefined) throw new Violation(`${target.name} differs ${how}: ${why}`);
  };
  same('byte by byte', byteByByte(input));
  const step = Math.max(1, Math.ceil(input.length / cuts));
  for (let cut = 1; cut < input.length; cut += step) same(`cut at ${cut}`, inTwo(input, cut));
  return outcome;
}
