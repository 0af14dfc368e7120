import { type FileHandle, open, rename, stat, truncate } from 'node:fs/promises';
import { Writable } from 'node:stream';
import { fileError } from '../runtime/system-error.ts';

export interface LogFileOptions {
  readonly maxBytes: number;
  /** With the current one: `daemon.log`, `daemon.log.1`, … */
  readonly maxFiles: number;
  /** What may wait for a slow disk, 1 MiB unless told; above it lines are dropped and counted. */
  readonly maxWaitingBytes?: number;
  /** After a failed write, lines are dropped until this long has passed: 5 s unless told. */
  readonly retryMs?: number;
  readonly now?: () => number;
}

/** Between two looks whether its file is still there. */
const LOOK_MS = 5_000;

const LOG_FILE_DEFAULTS = {
  maxWaitingBytes: 1_048_576,
  retryMs: 5_000,
  now: () => performance.now(),
};

/**
 * A rotated file that takes lines without ever failing or making its writer wait. While the disk is
 * full or the file can't be written, lines are dropped; the first line after that says how many.
 */
export class LogFile extends Writable {
  readonly #path: string;
  readonly #options: Required<LogFileOptions>;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #file: FileHandle | undefined;
  #fileBytes = 0;
  #busy: Promise<void> | undefined;
  #lost = 0;
  #problem: string | undefined;
  #retryAt = 0;
  #lookAt = 0;

  constructor(path: string, options: LogFileOptions) {
    super({ decodeStrings: true });
    this.#path = path;
    this.#options = { ...LOG_FILE_DEFAULTS, ...options };
  }

  /** Why lines are being dropped, or undefined. */
  get problem(): string | undefined {
    return this.#problem;
  }

  override _write(chunk: Buffer, _encoding: string, taken: () => void): void {
    if (
      this.#waitingBytes + chunk.length > this.#options.maxWaitingBytes ||
      this.#options.now() < this.#retryAt
    ) {
      this.#lost += 1;
    } else {
      this.#waiting.push(chunk);
      this.#waitingBytes += chunk.length;
      this.#busy ??= this.#flush();
    }
    taken();
  }

  override _final(done: () => void): void {
    void (this.#busy ?? Promise.resolve()).then(async () => {
      await this.#closeFile();
      done();
    });
  }

  async #flush(): Promise<void> {
    // Lets the lines of one turn of the event loop go out as one write.
    await new Promise((turn) => setImmediate(turn));
    while (this.#waiting.length > 0) await this.#writeBatch();
    this.#busy = undefined;
  }

  async #writeBatch(): Promise<void> {
    const lines = this.#waiting;
    const waited = this.#waitingBytes;
    const lost = this.#lost;
    this.#waiting = [];
    try {
      const loss = lost > 0 ? [Buffer.from(this.#lossLine(lost))] : [];
      const bytes = Buffer.concat([...loss, ...lines]);
      await this.#append(bytes);
      this.#lost -= lost;
      this.#problem = undefined;
    } catch (error) {
      this.#problem = fileError(error, this.#path).message;
      this.#lost += lines.length;
      this.#retryAt = this.#options.now() + this.#options.retryMs;
      await this.#closeFile();
    } finally {
      this.#waitingBytes -= waited;
    }
  }

  async #append(bytes: Buffer): Promise<void> {
    let file = await this.#openFile();
    if (this.#fileBytes > 0 && this.#fileBytes + bytes.length > this.#options.maxBytes) {
      await this.#rotate();
      file = await this.#openFile();
    }
    await file.appendFile(bytes);
    this.#fileBytes += bytes.length;
  }

  #lossLine(lost: number): string {
    const why = this.#problem ?? 'the disk was too slow';
    return `${new Date().toISOString()} warn: ${lost} lines of this log were lost: ${why}\n`;
  }

  async #openFile(): Promise<FileHandle> {
    const now = this.#options.now();
    if (now >= this.#lookAt) {
      this.#lookAt = now + LOOK_MS;
      if (!(await this.#isInPlace())) await this.#closeFile();
    }
    if (this.#file === undefined) {
      this.#file = await open(this.#path, 'a', 0o600);
      this.#fileBytes = (await this.#file.stat()).size;
    }
    return this.#file;
  }

  /** Whether what is written is where it is looked for: the file may have been taken away. */
  async #isInPlace(): Promise<boolean> {
    const there = await stat(this.#path).catch(() => undefined);
    const own = await this.#file?.stat();
    return there?.ino === own?.ino && there?.dev === own?.dev;
  }

  async #closeFile(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close().catch(() => undefined);
  }

  async #rotate(): Promise<void> {
    await this.#closeFile();
    const { maxFiles } = this.#options;
    if (maxFiles === 1) return truncate(this.#path).catch(unlessMissing);
    for (let index = maxFiles - 1; index > 1; index -= 1) {
      // One that can't be moved is overwritten by the next.
      await rename(`${this.#path}.${index - 1}`, `${this.#path}.${index}`).catch(() => undefined);
    }
    await rename(this.#path, `${this.#path}.1`).catch(unlessMissing);
  }
}

/** A file that somebody has taken away is begun anew. */
function unlessMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
