/**
 * A queue whose `shift` does not move what stays: an array with a head that is cut off now and
 * then.
 */
export class Fifo<T> {
  #items: T[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#head];
    this.#head++;
    if (this.#head > 64 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    } else if (this.#head === this.#items.length) {
      this.clear();
    }
    return item;
  }

  first(): T | undefined {
    return this.#items[this.#head];
  }

  last(): T | undefined {
    return this.length === 0 ? undefined : this.#items[this.#items.length - 1];
  }

  at(index: number): T | undefined {
    return this.#items[this.#head + index];
  }

  replaceFirst(item: T): void {
    if (this.length > 0) this.#items[this.#head] = item;
  }

  replaceLast(item: T): void {
    if (this.length > 0) this.#items[this.#items.length - 1] = item;
  }

  clear(): void {
    this.#items = [];
    this.#head = 0;
  }
}
