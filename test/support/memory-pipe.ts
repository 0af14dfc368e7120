import type { EpmuxError } from '../../src/protocol/errors.ts';
import type { BytePipe, PipeHandlers } from '../../src/runtime/pipe.ts';

/**
 * A pipe whose other end is the test: what was written lies in `written`, what arrives is given to
 * `handlers`.
 */
export class MemoryPipe implements BytePipe {
  readonly label = 'memory';
  readonly written: Uint8Array[] = [];
  bufferedBytes = 0;
  /** What `write` answers. */
  takes = true;
  handlers: PipeHandlers | undefined;
  ended = false;
  paused = false;
  closed: { readonly error: EpmuxError | undefined } | undefined;

  start(handlers: PipeHandlers): void {
    if (this.handlers !== undefined) throw new Error('started twice');
    this.handlers = handlers;
  }

  write(chunk: Uint8Array): boolean {
    this.written.push(chunk);
    return this.takes;
  }

  end(): void {
    this.ended = true;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  close(error?: EpmuxError): void {
    this.closed ??= { error };
  }

  get text(): string {
    return Buffer.concat(this.written).toString();
  }
}
