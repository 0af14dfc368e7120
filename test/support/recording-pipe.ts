import { EventEmitter, once } from 'node:events';
import type { EpmuxError } from '../../src/protocol/errors.ts';
import type { BytePipe, PipeHandlers } from '../../src/runtime/pipe.ts';

/** The handlers of a pipe's owner who writes down what it is told, and on whom a test can wait. */
export class PipeOwner implements PipeHandlers {
  readonly chunks: Uint8Array[] = [];
  readonly calls: string[] = [];
  error: EpmuxError | undefined;
  readonly #news = new EventEmitter();

  onBytes(chunk: Uint8Array): void {
    this.chunks.push(chunk);
    this.#tell('bytes');
  }

  onWritable(): void {
    this.#tell('writable');
  }

  onEnd(): void {
    this.#tell('end');
  }

  onClosed(error: EpmuxError | undefined): void {
    this.error = error;
    this.#tell('closed');
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }

  get text(): string {
    return this.bytes.toString();
  }

  async until(done: () => boolean): Promise<void> {
    while (!done()) await once(this.#news, 'news');
  }

  async called(name: 'bytes' | 'writable' | 'end' | 'closed'): Promise<void> {
    await this.until(() => this.calls.includes(name));
  }

  #tell(name: string): void {
    this.calls.push(name);
    this.#news.emit('news');
  }
}

export function own(pipe: BytePipe): PipeOwner {
  const owner = new PipeOwner();
  pipe.start(owner);
  return owner;
}
