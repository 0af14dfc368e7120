export interface Timed {
  nextDeadline(): number;
  onDeadline(): void;
}

interface Entry {
  readonly at: number;
  readonly order: number;
  readonly act: () => void;
}

/**
 * Simulated time: what is due happens in order, and what is due at one time in the order in which
 * it was asked for.
 */
export class Timeline {
  now = 0;
  #order = 0;
  /** A binary heap. */
  readonly #heap: Entry[] = [];

  at(at: number, act: () => void): void {
    this.#heap.push({ at: Math.max(at, this.now), order: this.#order++, act });
    this.#up(this.#heap.length - 1);
  }

  /**
   * Takes the next thing that is due; false when there is none until `limit`, which is then the
   * time.
   */
  step(limit: number, timed: readonly Timed[]): boolean {
    let next: Timed | undefined;
    let deadline = Number.POSITIVE_INFINITY;
    for (const one of timed) {
      const at = one.nextDeadline();
      if (at < deadline) [next, deadline] = [one, at];
    }
    const entryAt = this.#heap[0]?.at ?? Number.POSITIVE_INFINITY;
    if (Math.min(entryAt, deadline) > limit) {
      this.now = Math.max(this.now, limit);
      return false;
    }
    if (entryAt <= deadline) {
      this.now = Math.max(this.now, entryAt);
      this.#pop()?.act();
    } else {
      this.now = Math.max(this.now, deadline);
      next?.onDeadline();
    }
    return true;
  }

  runUntil(limit: number, timed: readonly Timed[]): void {
    while (this.step(limit, timed));
  }

  jump(ms: number): void {
    this.now += ms;
  }

  #pop(): Entry | undefined {
    const first = this.#heap[0];
    const last = this.#heap.pop();
    if (last === undefined || first === last) return first;
    this.#heap[0] = last;
    this.#down(0);
    return first;
  }

  #before(a: number, b: number): boolean {
    const [x, y] = [this.#heap[a], this.#heap[b]];
    if (x === undefined || y === undefined) return false;
    return x.at < y.at || (x.at === y.at && x.order < y.order);
  }

  #swap(a: number, b: number): void {
    const [x, y] = [this.#heap[a], this.#heap[b]];
    if (x === undefined || y === undefined) return;
    [this.#heap[a], this.#heap[b]] = [y, x];
  }

  #up(start: number): void {
    for (let at = start; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!this.#before(at, parent)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #down(start: number): void {
    for (let at = start; ; ) {
      let least = at;
      if (this.#before(2 * at + 1, least)) least = 2 * at + 1;
      if (this.#before(2 * at + 2, least)) least = 2 * at + 2;
      if (least === at) return;
      this.#swap(at, least);
      at = least;
    }
  }
}
