import { INITIAL_CREDIT_BYTES } from '../protocol/constants.ts';
import { EpmuxError } from '../protocol/errors.ts';

/**
 * Below this a round trip is taken as this: on a short path the endpoints' own turns take longer
 * than the path.
 */
const SHORTEST_RTT_MS = 5;
/** What streams begin with leaves this part of the pool to those that turn out to need more. */
const LEFT_FOR_GROWTH = 0.5;

/** What all windows of a session may grow by, together. */
export class WindowPool {
  readonly #totalBytes: number;
  #left: number;

  constructor(totalBytes: number) {
    this.#totalBytes = totalBytes;
    this.#left = totalBytes;
  }

  /** Takes up to `bytes`; what was there is returned. */
  take(bytes: number): number {
    const taken = Math.min(bytes, this.#left);
    this.#left -= taken;
    return taken;
  }

  /** All of it or nothing, for a stream that has not shown yet what it needs. */
  takeEarly(bytes: number): number {
    return this.#left - bytes < this.#totalBytes * LEFT_FOR_GROWTH ? 0 : this.take(bytes);
  }

  giveBack(bytes: number): void {
    this.#left += bytes;
  }
}

/**
 * What the other end may send on one stream. A stream may begin with more than the initial credit;
 * its window doubles when a half of it was consumed within two round trips: then the window may be
 * what bounds the stream.
 */
export class ReceiveWindow {
  readonly #pool: WindowPool;
  readonly #maxBytes: number;
  #sizeBytes = INITIAL_CREDIT_BYTES;
  #limit = INITIAL_CREDIT_BYTES;
  #received = 0;
  #consumed = 0;
  #epochAt: number | undefined;
  #epochConsumed = 0;

  constructor(pool: WindowPool, maxBytes: number) {
    this.#pool = pool;
    this.#maxBytes = maxBytes;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }
  /** Received and not consumed. */
  get heldBytes(): number {
    return this.#received - this.#consumed;
  }
  /** Counted from the stream's start, as CREDIT tells it. */
  get limit(): number {
    return this.#limit;
  }

  /** Before anything has come. True: the limit has moved, and the other end must hear of it. */
  beginWith(bytes: number): boolean {
    const wanted = Math.min(bytes, this.#maxBytes) - this.#sizeBytes;
    const taken = wanted > 0 ? this.#pool.takeEarly(wanted) : 0;
    this.#sizeBytes += taken;
    this.#limit += taken;
    return taken > 0;
  }

  /** False: more than the credit allows. */
  onReceived(bytes: number, now: number): boolean {
    this.#epochAt ??= now;
    this.#received += bytes;
    return this.#received <= this.#limit;
  }

  /** True: the limit has moved, and the other end must hear of it. */
  onConsumed(bytes: number, now: number, rttMs: number): boolean {
    this.#consumed += bytes;
    if (this.#consumed > this.#received) {
      throw new EpmuxError('INTERNAL', 'more consumed than was received');
    }
    if (this.#consumed + this.#sizeBytes - this.#limit < this.#sizeBytes / 2) return false;
    this.#tune(now, Math.max(rttMs, SHORTEST_RTT_MS));
    this.#limit = this.#consumed + this.#sizeBytes;
    return true;
  }

  release(): void {
    this.#pool.giveBack(this.#sizeBytes - INITIAL_CREDIT_BYTES);
    this.#sizeBytes = INITIAL_CREDIT_BYTES;
  }

  #tune(now: number, rttMs: number): void {
    const share = (this.#consumed - this.#epochConsumed) / this.#sizeBytes;
    const elapsed = now - (this.#epochAt ?? now);
    if (elapsed < 4 * share * rttMs) {
      const wanted = Math.min(this.#sizeBytes, Math.max(0, this.#maxBytes - this.#sizeBytes));
      this.#sizeBytes += this.#pool.take(wanted);
    }
    this.#epochAt = now;
    this.#epochConsumed = this.#consumed;
  }
}
