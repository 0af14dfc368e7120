/** How many round trips a rate counts for. */
const ROUNDS = 10;

interface Sample {
  readonly value: number;
  readonly round: number;
}

/** The largest value noted in the last rounds; it stays while nothing new is noted. */
export class MaxOverRounds {
  /**
   * Falling values, rising rounds: the first is the maximum, the others take over when it has aged.
   */
  #samples: Sample[] = [];

  get value(): number {
    return this.#samples[0]?.value ?? 0;
  }

  note(value: number, round: number): void {
    const kept = this.#samples.filter(
      (sample) => sample.value > value && sample.round > round - ROUNDS,
    );
    kept.push({ value, round });
    this.#samples = kept;
  }

  clear(): void {
    this.#samples = [];
  }
}
