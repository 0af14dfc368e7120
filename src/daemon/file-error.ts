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

/** Our code for what the system refused; undefined where it says nothing of the kind. */
export function fileCode(error: unknown): ErrorCode | undefined {
  return FILE_CODES[systemCode(error) ?? ''];
}

/** What went wrong with a file, in epmux's codes. */
export function fileError(error: unknown, path: string): EpmuxError {
  if (error instanceof EpmuxError) return error;
  const code = fileCode(error) ?? 'INTERNAL';
  const reason = error instanceof Error ? error.message : String(error);
  return new EpmuxError(code, `${path}: ${reason}`, { cause: error });
}
