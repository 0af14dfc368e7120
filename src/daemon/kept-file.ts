import { existsSync } from 'node:fs';
import { EpmuxError } from '../protocol/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import { writeFileAtomic } from './files.ts';
import { Rerun } from './rerun.ts';

/**
 * A file that holds what it was last told. One write at a time, the last one wins; a failed one is
 * logged and made again with the next change or `retry`.
 */
export class KeptFile {
  readonly #name: string;
  readonly #path: string;
  readonly #logger: Logger;
  #wanted: string | undefined;
  #written: string | undefined;
  readonly #rerun = new Rerun(() => this.#write());
  #problem: EpmuxError | undefined;

  /** `name`: for a person, `hosts`. */
  constructor(name: string, path: string, logger: Logger) {
    this.#name = name;
    this.#path = path;
    this.#logger = logger;
  }

  get problem(): EpmuxError | undefined {
    return this.#problem;
  }

  /** Resolves when the file holds this text or a later one, or could not be written. */
  set(text: string): Promise<void> {
    this.#wanted = text;
    return this.retry();
  }

  /** Writes what could not be written, and anew where the file is gone. */
  retry(): Promise<void> {
    return this.#rerun.ask();
  }

  async #write(): Promise<void> {
    const text = this.#wanted;
    if (text === undefined || (text === this.#written && existsSync(this.#path))) return;
    try {
      await writeFileAtomic(this.#path, text);
      this.#written = text;
      this.#problem = undefined;
    } catch (error) {
      if (!(error instanceof EpmuxError)) throw error;
      this.#logger.error(`the ${this.#name} file can not be written`, { reason: error.message });
      this.#problem = error;
    }
  }
}
