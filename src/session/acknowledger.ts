import { ACK_DELAY_MS, ACK_EVERY_BYTES } from '../protocol/constants.ts';

/**
 * Sooner than the page asks: this much is acknowledged when the last acknowledgement is a while
 * ago, so that a slow path keeps its clock.
 */
const EARLY_BYTES = 4_096;
const EARLY_AFTER_MS = 5;

/** Counts the reliable bytes received and says when they have to be acknowledged. */
export class Acknowledger {
  #received = 0;
  #told = 0;
  #toldAt = 0;
  /** When the oldest byte that is not acknowledged has waited long enough. */
  #dueAt = Number.POSITIVE_INFINITY;
  #due = false;

  get received(): number {
    return this.#received;
  }
  /** Something would be new in an ACK. */
  get pending(): boolean {
    return this.#received > this.#told;
  }
  get due(): boolean {
    return this.#due;
  }
  get deadline(): number {
    return this.#due ? Number.POSITIVE_INFINITY : this.#dueAt;
  }

  onReceived(bytes: number, now: number): void {
    if (!this.pending) this.#dueAt = now + ACK_DELAY_MS;
    this.#received += bytes;
    const untold = this.#received - this.#told;
    const early = untold >= EARLY_BYTES && now - this.#toldAt >= EARLY_AFTER_MS;
    if (early || untold >= ACK_EVERY_BYTES) this.#due = true;
  }

  onTime(now: number): void {
    if (now >= this.#dueAt) this.#due = true;
  }

  /** The position for an ACK, an ATTACH or an ATTACHED that goes out now. */
  take(now: number): number {
    this.#toldAt = now;
    this.#told = this.#received;
    this.#due = false;
    this.#dueAt = Number.POSITIVE_INFINITY;
    return this.#received;
  }
}
