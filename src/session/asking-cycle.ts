/**
 * Rounds of a cycle: in the first two more goes out, at the end of the second it shows whether more
 * arrived, then the queue of that is let go, and the rest is compared with.
 */
const ROUNDS = 8;
const ANSWER_AFTER = 1;
const COMPARE_FROM = 3;
const ASKING_GAIN = 1.2;
const ANSWERED_GROWTH = 1.08;
/** How fast a round trip that turned out too long is given up again, a cycle. */
const SHRINK = 0.95;

/**
 * Asks the path now and then whether it takes more than the shortest round trip suggests. Where
 * round trips vary by themselves (Wi-Fi, crossing bulk, busy endpoints) it does, and the round trip
 * reckoned with is raised; else it falls back.
 */
export class AskingCycle {
  #round = ANSWER_AFTER + 1;
  #baseRttMs = 0;
  #rates = 0;
  #rtts = 0;
  #count = 0;

  get gain(): number {
    return this.#round <= ANSWER_AFTER ? ASKING_GAIN : 1;
  }

  /** The round trip to reckon with. */
  rttMs(minRttMs: number): number {
    return Math.max(minRttMs, this.#baseRttMs);
  }

  onRound(bytesPerMs: number, rttMs: number, minRttMs: number): void {
    if (this.#round === ANSWER_AFTER) {
      this.#onAnswer(bytesPerMs, minRttMs);
      return;
    }
    if (this.#round >= COMPARE_FROM) {
      this.#rates += bytesPerMs;
      this.#rtts += rttMs;
      this.#count++;
    }
    this.#round = (this.#round + 1) % ROUNDS;
  }

  #onAnswer(bytesPerMs: number, minRttMs: number): void {
    const base = this.rttMs(minRttMs);
    if (this.#count > 0 && bytesPerMs > ANSWERED_GROWTH * (this.#rates / this.#count)) {
      this.#baseRttMs = Math.max(base, Math.min(base * ASKING_GAIN, this.#rtts / this.#count));
      this.#rates = bytesPerMs * this.#count;
      this.#round = 0;
      return;
    }
    this.#baseRttMs = Math.max(minRttMs, base * SHRINK);
    this.#rates = 0;
    this.#rtts = 0;
    this.#count = 0;
    this.#round = ANSWER_AFTER + 1;
  }
}
