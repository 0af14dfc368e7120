import { readBounded } from '../runtime/bounded-file.ts';

/**
 * The first `maxBytes` of a file. Undefined: there is none, it may not be read, or it is no plain
 * file.
 */
export async function readPlain(path: string, maxBytes: number): Promise<Buffer | undefined> {
  try {
    const { bytes, stat } = await readBounded(path, maxBytes);
    return stat.isFile() ? bytes : undefined;
  } catch {
    return undefined;
  }
}
