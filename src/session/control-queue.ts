import type { Frame, FrameOf } from '../protocol/frames.ts';
import type { Directory } from './types.ts';

type EndFrame = FrameOf<'REJECT'> | FrameOf<'RESET'>;

/** What is to be said of one stream, in this order; what became pointless is left out. */
interface Pending {
  open: FrameOf<'OPEN'> | undefined;
  accept: boolean;
  creditLimit: number | undefined;
  fin: boolean;
  end: EndFrame | undefined;
}

/**
 * Reliable control frames that have not been sent yet, one entry a stream: later news replace
 * earlier ones, so that the queue does not grow while nothing can be sent. Streams take turns in
 * the order in which they first had something to say, which keeps OPENs in the order of their ids.
 */
export class ControlQueue {
  readonly #streams = new Map<number, Pending>();
  #directory: Directory | undefined;

  get size(): number {
    return this.#streams.size;
  }

  open(frame: FrameOf<'OPEN'>): void {
    this.#entry(frame.stream).open = frame;
  }

  accept(stream: number): void {
    this.#entry(stream).accept = true;
  }

  credit(stream: number, limit: number): void {
    this.#entry(stream).creditLimit = limit;
  }

  /** All data of the stream is in frames. */
  fin(stream: number): void {
    this.#entry(stream).fin = true;
  }

  /**
   * Nothing is said of the stream after this; nothing at all if the other end has not heard of it.
   */
  end(frame: EndFrame): void {
    const wasOpened = this.#streams.get(frame.stream)?.open === undefined;
    this.forget(frame.stream);
    if (wasOpened) this.#entry(frame.stream).end = frame;
  }

  /** The other end has closed the stream. */
  forget(stream: number): void {
    this.#streams.delete(stream);
  }

  directory(directory: Directory): void {
    this.#directory = directory;
  }

  take(): Frame | undefined {
    if (this.#directory !== undefined) {
      const directory = this.#directory;
      this.#directory = undefined;
      return { type: 'DIRECTORY', directory };
    }
    const [next] = this.#streams;
    if (next === undefined) return undefined;
    const [stream, pending] = next;
    const frame = takeFrame(stream, pending);
    if (isSaid(pending)) this.#streams.delete(stream);
    return frame;
  }

  clear(): void {
    this.#streams.clear();
    this.#directory = undefined;
  }

  #entry(stream: number): Pending {
    let entry = this.#streams.get(stream);
    if (entry === undefined) {
      entry = {
        open: undefined,
        accept: false,
        creditLimit: undefined,
        fin: false,
        end: undefined,
      };
      this.#streams.set(stream, entry);
    }
    return entry;
  }
}

function takeFrame(stream: number, pending: Pending): Frame | undefined {
  if (pending.open !== undefined) {
    const frame = pending.open;
    pending.open = undefined;
    return frame;
  }
  if (pending.accept) {
    pending.accept = false;
    return { type: 'ACCEPT', stream };
  }
  if (pending.creditLimit !== undefined) {
    const limit = pending.creditLimit;
    pending.creditLimit = undefined;
    return { type: 'CREDIT', stream, limit };
  }
  if (pending.fin) {
    pending.fin = false;
    return { type: 'FIN', stream };
  }
  const frame = pending.end;
  pending.end = undefined;
  return frame;
}

function isSaid(pending: Pending): boolean {
  return (
    pending.open === undefined &&
    !pending.accept &&
    pending.creditLimit === undefined &&
    !pending.fin &&
    pending.end === undefined
  );
}
