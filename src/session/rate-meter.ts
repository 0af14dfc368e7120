/** The time after which what was sent counts a half. */
const HALF_LIFE_MS = 500;

/** Bytes sent lately: each counts less and less as it ages. */
export class RateMeter {
  #bytes = 0;
  #at = 0;

  /** Asked several times at one moment, which costs a power once. */
  read(now: number): number {
    if (now !== this.#at) {
      this.#bytes *= 2 ** ((this.#at - now) / HALF_LIFE_MS);
      this.#at = now;
    }
    return this.#bytes;
  }

  add(bytes: number, now: number): void {
    this.#bytes = this.read(now) + bytes;
  }
}
