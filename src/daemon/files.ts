import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EpmuxError, type ErrorCode } from '../protocol/errors.ts';

const FILE_CODES: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'DISK_FULL',
  EDQUOT: 'DISK_FULL',
  EACCES: 'PERMISSION_DENIED',
  EPERM: 'PERMISSION_DENIED',
  EROFS: 'PERMISSION_DENIED',
};

/** The system's own code (`ENOENT`), or undefined. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}

/** What went wrong with a file, in epmux's codes. */
export function fileError(error: unknown, path: string): EpmuxError {
  if (error instanceof EpmuxError) return error;
  const code = FILE_CODES[systemCode(error) ?? ''] ?? 'INTERNAL';
  const reason = error instanceof Error ? error.message : String(error);
  return new EpmuxError(code, `${path}: ${reason}`, { cause: error });
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/**
 * Replaces the file as a whole (0600): whoever reads it sees the old text or the new one, also after a crash or a power cut.
 * Fails with DISK_FULL, PERMISSION_DENIED or INTERNAL, and then the old file is as it was.
 */
export async function writeFileAtomic(path: string, text: string): Promise<void> {
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw fileError(error, path);
  }
}
