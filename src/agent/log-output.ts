import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { systemCode } from '../runtime/system-error.ts';

const STDERR = 2;
const MAX_WAITING_BYTES = 256 * 1024;
const RETRY_MS = 100;

/**
 * Where the log's lines go: stderr. A reader that has stopped reading, or has gone, costs lines,
 * not memory, and holds nothing up.
 */
export function openLogOutput(): (line: string) => void {
  const own = reopened();
  if (own !== undefined) {
    const output = new LogOutput(own);
    return (line) => output.write(line);
  }
  return (line) => {
    if (process.stderr.writableLength < MAX_WAITING_BYTES) process.stderr.write(line);
  };
}

/**
 * A pipe or terminal opened anew: whether writing waits is said of what was opened, and an app that
 * shares it makes that wait. Undefined: it is something else, or the system does not let it be
 * opened.
 */
function reopened(): number | undefined {
  const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
  try {
    if (!fstatSync(STDERR).isFIFO() && !isatty(STDERR)) return undefined;
    return openSync(`/proc/self/fd/${STDERR}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
  } catch {
    return undefined;
  }
}

/**
 * Lines for a descriptor on which writing does not wait: up to 256 KiB of them wait here, the
 * others are counted.
 */
export class LogOutput {
  readonly #fd: number;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(fd: number) {
    this.#fd = fd;
  }

  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.#waitingBytes + bytes.length > MAX_WAITING_BYTES) {
      this.#dropped += 1;
      return;
    }
    this.#tellDropped();
    this.#add(bytes);
    if (this.#timer === undefined) this.#flush();
  }

  #add(bytes: Buffer): void {
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
  }

  #tellDropped(): void {
    if (this.#dropped === 0) return;
    this.#add(Buffer.from(`epmux agent: warn log lines were dropped lines=${this.#dropped}\n`));
    this.#dropped = 0;
  }

  #flush(): void {
    this.#timer = undefined;
    for (;;) {
      const next = this.#waiting[0];
      if (next === undefined) {
        if (this.#dropped === 0) return;
        this.#tellDropped();
        continue;
      }
      const written = this.#take(next);
      this.#waitingBytes -= written;
      if (written === next.length) this.#waiting.shift();
      else {
        this.#waiting[0] = next.subarray(written);
        this.#timer = setTimeout(() => this.#flush(), RETRY_MS).unref();
        return;
      }
    }
  }

  /** How many of the bytes are done with: all, where nobody is left to read them. */
  #take(bytes: Buffer): number {
    try {
      return writeSync(this.#fd, bytes);
    } catch (error) {
      return systemCode(error) === 'EAGAIN' ? 0 : bytes.length;
    }
  }
}
