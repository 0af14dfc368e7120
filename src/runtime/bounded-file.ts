import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { open } from 'node:fs/promises';

export interface BoundedFile {
  /** The first `maxBytes` of it. */
  readonly bytes: Buffer;
  /** There is no more of it. */
  readonly isWhole: boolean;
  readonly stat: Stats;
}

/** A pipe in the file's place must not keep a thread waiting for its writer. */
const AT_ONCE = constants.O_RDONLY | constants.O_NONBLOCK;

/**
 * A file system that has gone away holds one of the process's few threads for each, and not for
 * each who asks.
 */
const underWay = new Map<string, Promise<BoundedFile>>();

/**
 * Reads the first `maxBytes` of a file, also of one in /proc, which has no size. Of a pipe or a
 * device nothing is read. Who asks while it is read already is given the same. Throws what the
 * system says.
 */
export function readBounded(path: string, maxBytes: number): Promise<BoundedFile> {
  const key = `${maxBytes} ${path}`;
  const known = underWay.get(key);
  if (known !== undefined) return known;
  const reading = readOnce(path, maxBytes).finally(() => underWay.delete(key));
  underWay.set(key, reading);
  return reading;
}

async function readOnce(path: string, maxBytes: number): Promise<BoundedFile> {
  const file = await open(path, AT_ONCE);
  try {
    const stat = await file.stat();
    const buffer = Buffer.alloc(maxBytes + 1);
    const isRead = !isWaitedFor(stat);
    let length = 0;
    while (isRead && length <= maxBytes) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return bounded(buffer, length, stat);
  } finally {
    await file.close();
  }
}

/**
 * As `readBounded`. `waits`: a pipe is read too, up to its end, as one that a person names for this
 * very process: `<(…)`.
 */
export function readBoundedSync(path: string, maxBytes: number, waits = false): BoundedFile {
  const file = openSync(path, waits ? constants.O_RDONLY : AT_ONCE);
  try {
    const stat = fstatSync(file);
    const buffer = Buffer.alloc(maxBytes + 1);
    const isRead = waits || !isWaitedFor(stat);
    let length = 0;
    while (isRead && length <= maxBytes) {
      const bytesRead = readSync(file, buffer, length, buffer.length - length, null);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return bounded(buffer, length, stat);
  } finally {
    closeSync(file);
  }
}

function isWaitedFor(stat: Stats): boolean {
  return stat.isFIFO() || stat.isCharacterDevice();
}

/**
 * `buffer` has room for a byte more than may be taken: by that a longer file is told from a full
 * one.
 */
function bounded(buffer: Buffer, length: number, stat: Stats): BoundedFile {
  const maxBytes = buffer.length - 1;
  return {
    bytes: buffer.subarray(0, Math.min(length, maxBytes)),
    isWhole: length <= maxBytes,
    stat,
  };
}
