import { Buffer } from 'node:buffer';
import { EpmuxError } from '../protocol/errors.ts';
import type { Clock } from './clock.ts';
import { LINGER_MS } from './linger.ts';
import type { BytePipe } from './pipe.ts';

/** Least room offered while the pipe says that it has some. */
const MIN_ROOM_BYTES = 16 * 1024;
/**
 * Buffers up to here are joined, so that a carrier with packets of its own does not make one of
 * each.
 */
const JOINED_BYTES = 16 * 1024;

export interface SessionPipeHandlers {
  onBytes(chunk: Uint8Array): void;
  onWritable(): void;
  /** The pipe is gone or half of it, and was not closed by this end. */
  onLost(error: EpmuxError): void;
}

/**
 * A pipe in the hands of a session: bounded in what lies in it, useless once either direction is
 * over.
 */
export class SessionPipe {
  readonly #pipe: BytePipe;
  readonly #clock: Clock;
  #full = false;
  #over = false;
  #leaving = false;

  constructor(pipe: BytePipe, clock: Clock, handlers: SessionPipeHandlers) {
    this.#pipe = pipe;
    this.#clock = clock;
    const lose = (error: EpmuxError): void => {
      if (this.#over) return;
      this.close(error);
      handlers.onLost(error);
    };
    pipe.start({
      passes: true,
      onBytes: (chunk) => {
        if (!this.#over) handlers.onBytes(chunk);
      },
      onWritable: () => {
        this.#full = false;
        if (!this.#over) handlers.onWritable();
      },
      onEnd: () => {
        if (this.#leaving) pipe.close();
        else lose(this.#ended());
      },
      onClosed: (error) => {
        this.#cancelLinger();
        lose(error ?? this.#ended());
      },
    });
  }

  /**
   * How much to write now, with no more than `mostQueuedBytes` in the pipe's buffer; 0: wait for
   * `onWritable`.
   */
  roomBytes(mostQueuedBytes: number): number {
    if (this.#full || this.#over) return 0;
    return Math.max(MIN_ROOM_BYTES, mostQueuedBytes - this.#pipe.bufferedBytes);
  }

  write(buffers: readonly Uint8Array[]): void {
    for (const buffer of joinSmall(buffers)) {
      if (!this.#pipe.write(buffer)) this.#full = true;
    }
  }

  close(error?: EpmuxError): void {
    if (this.#over) return;
    this.#over = true;
    this.#pipe.close(error);
  }

  /** Closes once what was written is out and the other end has closed too, or after a second. */
  closeWhenSent(): void {
    if (this.#over) return;
    this.#over = true;
    this.#leaving = true;
    this.#pipe.end();
    this.#cancelLinger = this.#clock.wakeAt(this.#clock.now() + LINGER_MS, () =>
      this.#pipe.close(),
    );
  }

  #cancelLinger: () => void = () => {};

  #ended(): EpmuxError {
    return new EpmuxError('PIPE_LOST', `${this.#pipe.label} closed the connection`);
  }
}

/** Most batches are one buffer or a few large ones, and pass as they are. */
function joinSmall(buffers: readonly Uint8Array[]): readonly Uint8Array[] {
  if (buffers.length < 2) return buffers;
  const joined: Uint8Array[] = [];
  let run: Uint8Array[] = [];
  let runBytes = 0;
  for (const buffer of buffers) {
    if (run.length > 0 && runBytes + buffer.length > JOINED_BYTES) {
      joined.push(join(run));
      run = [];
      runBytes = 0;
    }
    run.push(buffer);
    runBytes += buffer.length;
  }
  if (run.length > 0) joined.push(join(run));
  return joined;
}

function join(run: readonly Uint8Array[]): Uint8Array {
  const [only] = run;
  return run.length === 1 && only !== undefined ? only : Buffer.concat(run);
}
