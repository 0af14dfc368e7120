import { PROCESS_SLEPT_MS } from '../erlang/relay-options.ts';

const LOOK_EVERY_MS = 1_000;

/** Notices that a pipe which refused more has not taken anything of what it holds for a while. */
export class StallWatch {
  readonly #limitMs: number;
  #buffered = 0;
  #progressAt = 0;
  #lookAt = Number.POSITIVE_INFINITY;

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  /** For a person. */
  get text(): string {
    return `the tunnel took nothing from the node for ${Math.round(this.#limitMs / 1000)} s`;
  }

  onRefused(bufferedBytes: number, now: number): void {
    if (this.#lookAt !== Number.POSITIVE_INFINITY || this.#limitMs === Number.POSITIVE_INFINITY) {
      return;
    }
    this.#buffered = bufferedBytes;
    this.#progressAt = now;
    this.#schedule(now);
  }

  onRoom(): void {
    this.#lookAt = Number.POSITIVE_INFINITY;
  }

  nextLook(): number {
    return this.#lookAt;
  }

  isOver(bufferedBytes: number, now: number): boolean {
    if (now < this.#lookAt) return false;
    const slept = now - this.#lookAt > PROCESS_SLEPT_MS;
    if (bufferedBytes < this.#buffered || slept) this.#progressAt = now;
    this.#buffered = bufferedBytes;
    this.#schedule(now);
    return now - this.#progressAt >= this.#limitMs;
  }

  #schedule(now: number): void {
    this.#lookAt = now + Math.min(LOOK_EVERY_MS, this.#limitMs);
  }
}
