import type { Stream } from './stream.ts';

/** A stream that sent less than this lately (see RateMeter) is sparse and goes ahead of bulk. */
const SPARSE_BELOW_BYTES = { interactive: 131_072, bulk: 16_384 } as const;
/**
 * On a slow path it must be less than the path takes in this time, but nobody is bulk for so few
 * bytes.
 */
const SPARSE_BELOW_MS = 150;
const SPARSE_AT_LEAST_BYTES = 8_192;
/**
 * After so much of sparse streams while bulk waited, bulk gets one turn: many small streams do not
 * starve it.
 */
const SPARSE_RUN_BYTES = 65_536;
/** A word of a sparse stream is no longer than this: a keystroke, its echo, a short answer. */
const WORD_BYTES = 4_096;
/** So long after a word another is expected: who types does so within a fifth of a second. */
const CALM_AFTER_MS = 250;
/**
 * What may lie in the pipe's buffer ahead of a word; with none expected more, for each turn of the
 * event loop costs the same.
 */
const MAX_QUEUED_BYTES = 128 * 1024;
const MAX_QUEUED_WHEN_CALM_BYTES = 512 * 1024;

/** Which stream's data goes next: sparse ones first, each level in turns of one frame. */
export class Scheduler {
  readonly #path: { readonly bytesPerMs: number };
  /** Woken since the last pick; which level they belong to is looked at then. */
  readonly #woken = new Set<Stream>();
  readonly #sparse = new Set<Stream>();
  readonly #bulk = new Set<Stream>();
  /** With data and without credit. */
  readonly #creditless = new Set<Stream>();
  #sparseRun = 0;
  #lastWordAt = Number.NEGATIVE_INFINITY;

  constructor(path: { readonly bytesPerMs: number }) {
    this.#path = path;
  }

  /** Some stream would send if it had credit. */
  get lacksCredit(): boolean {
    return this.#creditless.size > 0;
  }

  get idle(): boolean {
    return this.#woken.size + this.#sparse.size + this.#bulk.size === 0;
  }

  /** A sparse stream has spoken just now, and will most likely do so again. */
  expectsWord(now: number): boolean {
    return now - this.#lastWordAt <= CALM_AFTER_MS;
  }

  /** How much may lie in the pipe's buffer at this moment. */
  mostQueuedBytes(now: number): number {
    return this.expectsWord(now) ? MAX_QUEUED_BYTES : MAX_QUEUED_WHEN_CALM_BYTES;
  }

  /** The stream may have become able to send. */
  wake(stream: Stream): void {
    this.#noteCredit(stream);
    if (!stream.sendable || this.#sparse.has(stream) || this.#bulk.has(stream)) return;
    this.#woken.add(stream);
  }

  drop(stream: Stream): void {
    this.#woken.delete(stream);
    this.#sparse.delete(stream);
    this.#bulk.delete(stream);
    this.#creditless.delete(stream);
  }

  /**
   * Takes the next stream; `onFramed` has to follow. `sparseOnly`: bulk has to wait, unless it is
   * due.
   */
  next(now: number, sparseOnly: boolean): Stream | undefined {
    for (const stream of this.#woken) this.#enqueue(stream, now);
    this.#woken.clear();
    const [sparse] = this.#sparse;
    const [bulk] = this.#bulk;
    const bulkIsDue = bulk !== undefined && this.#sparseRun >= SPARSE_RUN_BYTES;
    const stream = bulkIsDue ? bulk : (sparse ?? (sparseOnly ? undefined : bulk));
    if (stream === undefined) return undefined;
    this.#sparse.delete(stream);
    this.#bulk.delete(stream);
    if (stream === bulk) this.#sparseRun = 0;
    return stream;
  }

  onFramed(stream: Stream, bytes: number, now: number): void {
    const wasSparse = this.#isSparse(stream, now);
    if (wasSparse && this.#bulk.size > 0) this.#sparseRun += bytes;
    if (wasSparse && isWord(stream, bytes, now)) this.#lastWordAt = now;
    stream.recent.add(bytes, now);
    this.#noteCredit(stream);
    if (stream.sendable) this.#enqueue(stream, now);
  }

  clear(): void {
    this.#woken.clear();
    this.#sparse.clear();
    this.#bulk.clear();
    this.#creditless.clear();
  }

  #noteCredit(stream: Stream): void {
    if (stream.buffer.bytes > 0 && stream.credit <= 0) this.#creditless.add(stream);
    else this.#creditless.delete(stream);
  }

  #enqueue(stream: Stream, now: number): void {
    (this.#isSparse(stream, now) ? this.#sparse : this.#bulk).add(stream);
  }

  #isSparse(stream: Stream, now: number): boolean {
    const most = SPARSE_BELOW_BYTES[stream.streamClass];
    const recent = stream.recent.read(now);
    if (recent >= most || this.#path.bytesPerMs === 0) return recent < most;
    return recent < Math.max(SPARSE_AT_LEAST_BYTES, this.#path.bytesPerMs * SPARSE_BELOW_MS);
  }
}

/** Not its first one, which may be the head of a long transfer. */
function isWord(stream: Stream, bytes: number, now: number): boolean {
  return bytes <= WORD_BYTES && stream.buffer.bytes === 0 && stream.recent.read(now) > 0;
}
