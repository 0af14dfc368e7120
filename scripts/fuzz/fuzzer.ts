import { Script } from 'node:vm';
import { check } from '../../test/fuzz/check.ts';
import { corpusOf, forget, keep } from '../../test/fuzz/corpus.ts';
import { MUTATIONS, type Mutation, mutate } from '../../test/fuzz/mutate.ts';
import type { Target } from '../../test/fuzz/target.ts';
import type { SeededRandom } from '../seeded-random.ts';
import { Coverage } from './coverage.ts';

/** So many inputs run between two questions for what was reached. */
const BATCH = 64;
/**
 * A check is a matter of microseconds: what takes this long, on a busy machine too, does not end.
 */
const HANG_MS = 20_000;
const MAX_STACKED = 6;
/** Of the places to cut an input at; the tests try more on what is kept. */
const CUTS = 2;
const MAX_FINDINGS = 10;

export interface Report {
  readonly runs: number;
  readonly places: number;
  readonly inputs: number;
  readonly findings: readonly string[];
}

/**
 * A call inside it is ended by V8 when its time is over, wherever it is, loops and regular
 * expressions included.
 */
const bounded = new Script('globalThis.epmuxFuzzed()');

function within(limitMs: number, work: () => void): void {
  Object.assign(globalThis, { epmuxFuzzed: work });
  bounded.runInThisContext({ timeout: limitMs });
}

function mutationOf(random: SeededRandom): Mutation {
  const kind = random.pick(MUTATIONS);
  return { kind, at: random.next(), to: random.next(), value: random.next() };
}

/** Follows what raises coverage; what breaks a rule is made small and kept as `found-…`. */
export class Fuzzer {
  readonly #target: Target;
  readonly #random: SeededRandom;
  readonly #coverage = new Coverage();
  readonly #inputs: Uint8Array[] = [];
  readonly #findings = new Map<string, string>();
  #runs = 0;

  constructor(target: Target, random: SeededRandom) {
    this.#target = target;
    this.#random = random;
  }

  fuzz(until: number): Report {
    for (const input of [new Uint8Array(0), ...this.#target.seeds, ...corpusOf(this.#target)]) {
      this.#try(input);
      this.#learn(input, true);
    }
    while (Date.now() < until && this.#findings.size < MAX_FINDINGS) this.#batch();
    this.#coverage.stop();
    return {
      runs: this.#runs,
      places: this.#coverage.size,
      inputs: this.#inputs.length,
      findings: [...this.#findings.values()],
    };
  }

  /** Writes the least set of inputs that reaches all that was reached beyond the seeds. */
  save(): number {
    const coverage = new Coverage();
    const reach = (input: Uint8Array): string[] => {
      coverage.reset();
      this.#run(input);
      return coverage.take();
    };
    for (const seed of this.#target.seeds) coverage.add(reach(seed));
    forget(this.#target);
    let kept = 0;
    for (const input of this.#inputs.toSorted((a, b) => a.length - b.length)) {
      if (coverage.add(reach(input)) === 0) continue;
      keep(this.#target, input);
      kept += 1;
    }
    coverage.stop();
    return kept;
  }

  #batch(): void {
    const batch = Array.from({ length: BATCH }, () => this.#mutant());
    this.#coverage.reset();
    this.#tryAll(batch);
    if (!this.#coverage.take().some((place) => this.#coverage.isNew(place))) return;
    for (const input of batch) this.#learn(input, false);
  }

  #mutant(): Uint8Array {
    let input = this.#random.pick(this.#inputs);
    const changes = 1 + Math.floor(this.#random.next() * MAX_STACKED);
    for (let count = 0; count < changes; count += 1) {
      const other = this.#random.pick(this.#inputs);
      input = mutate(input, mutationOf(this.#random), this.#target.framing, other);
    }
    return input;
  }

  #learn(input: Uint8Array, isGiven: boolean): void {
    this.#coverage.reset();
    this.#run(input);
    const news = this.#coverage.add(this.#coverage.take());
    if (news > 0 || isGiven) this.#inputs.push(input);
  }

  /** Only to see what it reaches. */
  #run(input: Uint8Array): void {
    try {
      within(HANG_MS, () => check(this.#target, input, CUTS));
    } catch {
      // A finding, which #try has noted.
    }
  }

  /** One limit for all: a limit of its own for each would cost more than the runs. */
  #tryAll(batch: readonly Uint8Array[]): void {
    const suspects: Uint8Array[] = [];
    let at = 0;
    try {
      within(HANG_MS, () => {
        for (; at < batch.length; at += 1) {
          try {
            check(this.#target, batch[at] ?? new Uint8Array(0), CUTS);
          } catch {
            suspects.push(batch[at] ?? new Uint8Array(0));
          }
        }
      });
    } catch {
      // The time was over, perhaps because of one of these.
      suspects.push(...batch.slice(at));
    }
    this.#runs += batch.length;
    for (const input of suspects) this.#try(input);
  }

  #try(input: Uint8Array): void {
    this.#runs += 1;
    const failure = this.#failure(input);
    if (failure === undefined || this.#findings.has(failure)) return;
    const small = this.#smallest(input, failure);
    const path = keep(this.#target, small, 'found-');
    this.#findings.set(failure, `${path}\n    ${failure}`);
  }

  /** The first line of what it throws, its numbers and texts apart: one finding is told once. */
  #failure(input: Uint8Array): string | undefined {
    try {
      within(HANG_MS, () => check(this.#target, input, CUTS));
      return undefined;
    } catch (error) {
      const { name, message, stack = '' } = error as Error;
      const place = /src\/[\w/.-]+\.ts/.exec(stack)?.[0] ?? '';
      const what = (message.split('\n')[0] ?? '').replaceAll(/\d+/g, 'N').slice(0, 120);
      return `${name}: ${what} ${place}`.trim();
    }
  }

  #smallest(input: Uint8Array, failure: string): Uint8Array {
    let best = input;
    for (let size = best.length >> 1; size >= 1; size >>= 1) {
      for (let at = 0; at + size <= best.length; ) {
        const shorter = Buffer.concat([best.subarray(0, at), best.subarray(at + size)]);
        if (this.#failure(shorter) === failure) best = shorter;
        else at += size;
      }
    }
    return best;
  }
}
