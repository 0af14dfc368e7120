import { EpmuxError } from '../../protocol/errors.ts';
import type { BytePipe, PipeHandlers } from '../../runtime/pipe.ts';

/** What may wait for the pipe before `write` says false. */
const WAITING_BYTES = 64 * 1_024;

/**
 * A pipe that is still being opened: what is written meanwhile is kept, and a failure to open
 * closes it.
 */
export class LazyPipe implements BytePipe {
  readonly label: string;
  readonly #giveUp = new AbortController();
  #pipe: BytePipe | undefined;
  #handlers: PipeHandlers | undefined;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #full = false;
  #ended = false;
  #paused = false;
  #closed: { readonly error: EpmuxError | undefined } | undefined;

  constructor(label: string, open: (signal: AbortSignal) => Promise<BytePipe>) {
    this.label = label;
    open(this.#giveUp.signal).then(
      (pipe) => this.#opened(pipe),
      (error: unknown) => this.#failed(error),
    );
  }

  get bufferedBytes(): number {
    return this.#waitingBytes + (this.#pipe?.bufferedBytes ?? 0);
  }

  start(handlers: PipeHandlers): void {
    this.#handlers = handlers;
    if (this.#closed !== undefined) this.#tellClosed(handlers, this.#closed.error);
    else this.#pipe?.start(handlers);
  }

  write(chunk: Uint8Array): boolean {
    if (this.#closed !== undefined) return true;
    if (this.#pipe !== undefined) return this.#pipe.write(chunk);
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
    this.#full = this.#waitingBytes >= WAITING_BYTES;
    return !this.#full;
  }

  end(): void {
    this.#ended = true;
    this.#pipe?.end();
  }

  pause(): void {
    this.#paused = true;
    this.#pipe?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#pipe?.resume();
  }

  close(error?: EpmuxError): void {
    if (this.#closed !== undefined) return;
    if (this.#pipe !== undefined) {
      this.#pipe.close(error);
      return;
    }
    this.#finish(undefined);
    this.#giveUp.abort();
  }

  #opened(pipe: BytePipe): void {
    if (this.#closed !== undefined) {
      pipe.close();
      return;
    }
    this.#pipe = pipe;
    if (this.#paused) pipe.pause();
    if (this.#handlers !== undefined) pipe.start(this.#handlers);
    let room = true;
    for (const chunk of this.#waiting) room = pipe.write(chunk);
    this.#waiting = [];
    this.#waitingBytes = 0;
    if (this.#ended) pipe.end();
    // With no room, the pipe itself says when there is.
    if (this.#full && room) this.#handlers?.onWritable();
  }

  #failed(error: unknown): void {
    if (this.#closed !== undefined) return;
    this.#finish(EpmuxError.from(error, 'CONNECT_FAILED', this.label));
  }

  #finish(error: EpmuxError | undefined): void {
    this.#closed = { error };
    this.#waiting = [];
    this.#waitingBytes = 0;
    if (this.#handlers !== undefined) this.#tellClosed(this.#handlers, error);
  }

  #tellClosed(handlers: PipeHandlers, error: EpmuxError | undefined): void {
    queueMicrotask(() => handlers.onClosed(error));
  }
}
