import type { EpmuxError } from '../../protocol/errors.ts';
import type { BytePipe, PipeHandlers } from '../../runtime/pipe.ts';

export interface PipeWatcher {
  onBytesIn?(bytes: number): void;
  onBytesOut?(bytes: number): void;
  /** Before the owner is told; not called for a pipe that is never started. */
  onClosed(): void;
}

/** The pipe itself to its owner, while somebody else watches what becomes of it. */
export class WatchedPipe implements BytePipe {
  readonly label: string;
  readonly #pipe: BytePipe;
  readonly #watcher: PipeWatcher;

  constructor(pipe: BytePipe, watcher: PipeWatcher) {
    this.label = pipe.label;
    this.#pipe = pipe;
    this.#watcher = watcher;
  }

  get copies(): boolean {
    return this.#pipe.copies === true;
  }

  get passes(): boolean {
    return this.#pipe.passes === true;
  }

  get bufferedBytes(): number {
    return this.#pipe.bufferedBytes;
  }

  start(handlers: PipeHandlers): void {
    this.#pipe.start({
      copies: handlers.copies === true,
      passes: handlers.passes === true,
      onBytes: (chunk) => {
        this.#watcher.onBytesIn?.(chunk.length);
        handlers.onBytes(chunk);
      },
      onWritable: () => handlers.onWritable(),
      onEnd: () => handlers.onEnd(),
      onClosed: (error) => {
        this.#watcher.onClosed();
        handlers.onClosed(error);
      },
    });
  }

  write(chunk: Uint8Array): boolean {
    this.#watcher.onBytesOut?.(chunk.length);
    return this.#pipe.write(chunk);
  }

  end(): void {
    this.#pipe.end();
  }

  pause(): void {
    this.#pipe.pause();
  }

  resume(): void {
    this.#pipe.resume();
  }

  close(error?: EpmuxError): void {
    this.#pipe.close(error);
  }
}
