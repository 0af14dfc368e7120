import { type FileHandle, open, stat } from 'node:fs/promises';
import { EpmuxError } from '../../protocol/errors.ts';
import { systemCode } from '../../runtime/system-error.ts';
import { fileTrouble } from '../file-trouble.ts';

const CHUNK_BYTES = 64 * 1024;
/** However many lines are asked for, no more than this is read for them. */
const MAX_TAIL_BYTES = 4 * 1024 * 1024;

/**
 * A file as it grows, across rotations by renaming. Reads are bounded; text is handed out in whole
 * lines but for the last.
 */
export class LogReader {
  readonly #path: string;
  #file: FileHandle | undefined;
  #inode: bigint | undefined;
  #position = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * The last `lines` lines as they stand now; reading goes on behind them. Undefined when there is
   * no file.
   */
  async tail(lines: number): Promise<Buffer | undefined> {
    const size = await this.#open();
    if (size === undefined) return undefined;
    const from = Math.max(0, size - MAX_TAIL_BYTES);
    const kept: Buffer[] = [];
    let ends = 0;
    for (let at = size; at > from && ends <= lines; ) {
      const length = Math.min(CHUNK_BYTES, at - from);
      const chunk = await this.#readAt(at - length, length);
      at -= length;
      ends += countLineEnds(chunk);
      kept.unshift(chunk);
    }
    this.#position = size;
    return lastLines(Buffer.concat(kept), lines);
  }

  /**
   * What has been written since, at most 64 KiB at a time; empty when nothing has. A new file in
   * the old one's place is begun.
   */
  async more(): Promise<Buffer> {
    if (this.#file === undefined) await this.#open();
    if (this.#file === undefined) return Buffer.alloc(0);
    const { size } = await this.#file.stat();
    if (size < this.#position) this.#position = 0;
    const chunk = await this.#readOn();
    if (chunk.length > 0 || !(await this.#isReplaced())) return chunk;
    // What came between that read and the rotation is still in the old file.
    const last = await this.#readOn();
    if (last.length === 0) await this.close();
    return last;
  }

  async #readOn(): Promise<Buffer> {
    const chunk = await this.#readAt(this.#position, CHUNK_BYTES);
    this.#position += chunk.length;
    return chunk;
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    this.#position = 0;
    await file?.close();
  }

  async #open(): Promise<number | undefined> {
    try {
      this.#file = await open(this.#path, 'r');
    } catch (cause) {
      if (isMissing(cause)) return undefined;
      throw new EpmuxError('PERMISSION_DENIED', `can't read ${this.#path}: ${fileTrouble(cause)}`, {
        cause,
      });
    }
    const { ino, size } = await this.#file.stat({ bigint: true });
    this.#inode = ino;
    return Number(size);
  }

  async #readAt(position: number, length: number): Promise<Buffer> {
    if (this.#file === undefined) return Buffer.alloc(0);
    const { buffer, bytesRead } = await this.#file.read(Buffer.alloc(length), 0, length, position);
    return buffer.subarray(0, bytesRead);
  }

  /**
   * Also true between the renaming and the new file's first line: the old one is then read to its
   * end already.
   */
  async #isReplaced(): Promise<boolean> {
    try {
      return (await stat(this.#path, { bigint: true })).ino !== this.#inode;
    } catch (cause) {
      if (isMissing(cause)) return true;
      throw cause;
    }
  }
}

function isMissing(cause: unknown): boolean {
  return systemCode(cause) === 'ENOENT';
}

function countLineEnds(bytes: Buffer): number {
  let ends = 0;
  for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, at + 1)) ends += 1;
  return ends;
}

function lastLines(bytes: Buffer, lines: number): Buffer {
  if (lines === 0) return Buffer.alloc(0);
  let at = bytes.length - 1;
  for (let seen = 0; seen < lines && at > 0; seen += 1) at = bytes.lastIndexOf(0x0a, at - 1);
  return at <= 0 ? bytes : bytes.subarray(at + 1);
}
