import { EpmuxError } from '../protocol/errors.ts';
import { keepRead } from './lent-reads.ts';
import type { BytePipe, PipeHandlers } from './pipe.ts';

/**
 * A pipe that can change its owner: after `release` it is as if it had never been started, and what
 * comes meanwhile is kept for the next `start`. The pipe below is paused while nobody owns it, so
 * little does.
 */
export class HandoverPipe implements BytePipe {
  readonly #pipe: BytePipe;
  #owner: PipeHandlers | undefined;
  #started = false;
  #pausedByOwner = false;
  #kept: Uint8Array[] = [];
  #keptEnd = false;
  #keptClosed: { readonly error: EpmuxError | undefined } | undefined;

  constructor(pipe: BytePipe) {
    this.#pipe = pipe;
  }

  get label(): string {
    return this.#pipe.label;
  }

  get bufferedBytes(): number {
    return this.#pipe.bufferedBytes;
  }

  /** What was kept is delivered from a microtask on, never from within this call. */
  start(handlers: PipeHandlers): void {
    if (this.#owner !== undefined) {
      throw new EpmuxError('INTERNAL', `${this.label} is started twice`);
    }
    this.#owner = handlers;
    if (!this.#started) {
      this.#started = true;
      this.#pipe.start({
        passes: true,
        onBytes: (chunk) => this.#bytes(chunk),
        onWritable: () => this.#owner?.onWritable(),
        onEnd: () => {
          this.#keptEnd = true;
          this.#deliver();
        },
        onClosed: (error) => {
          this.#keptClosed = { error };
          this.#deliver();
        },
      });
      return;
    }
    queueMicrotask(() => {
      this.#deliver();
      this.#follow();
    });
  }

  /** Takes the pipe from its owner, who hears nothing more of it. */
  release(): void {
    this.#owner = undefined;
    this.#pausedByOwner = false;
    this.#pipe.pause();
  }

  write(chunk: Uint8Array): boolean {
    return this.#pipe.write(chunk);
  }

  end(): void {
    this.#pipe.end();
  }

  pause(): void {
    this.#pausedByOwner = true;
    this.#pipe.pause();
  }

  resume(): void {
    this.#pausedByOwner = false;
    if (this.#kept.length > 0) queueMicrotask(() => this.#deliver());
    this.#follow();
  }

  close(error?: EpmuxError): void {
    this.#kept = [];
    this.#keptEnd = false;
    this.#pipe.close(error);
  }

  #bytes(chunk: Uint8Array): void {
    const owner = this.#pausedByOwner || this.#kept.length > 0 ? undefined : this.#owner;
    if (owner?.passes !== true) keepRead();
    if (owner === undefined) this.#kept.push(chunk);
    else owner.onBytes(chunk);
  }

  #follow(): void {
    if (this.#owner !== undefined && !this.#pausedByOwner) this.#pipe.resume();
  }

  #deliver(): void {
    while (this.#owner !== undefined && !this.#pausedByOwner && this.#kept.length > 0) {
      const chunk = this.#kept.shift();
      if (chunk !== undefined) this.#owner.onBytes(chunk);
    }
    if (this.#owner !== undefined && this.#keptEnd && this.#kept.length === 0) {
      this.#keptEnd = false;
      this.#owner.onEnd();
    }
    const owner = this.#owner;
    if (owner !== undefined && this.#keptClosed !== undefined) {
      const { error } = this.#keptClosed;
      if (error === undefined && this.#kept.length > 0) return;
      this.#owner = undefined;
      this.#keptClosed = undefined;
      owner.onClosed(error);
    }
  }
}
