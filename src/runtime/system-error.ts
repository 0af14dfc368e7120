import { EpmuxError, type ErrorCode, messageOf } from '../protocol/errors.ts';

interface Meaning {
  readonly code: ErrorCode;
  /** Where the code's own does not fit. */
  readonly hint?: string;
}

const NO_FOLDER: Meaning = {
  code: 'CONFIG_INVALID',
  hint: 'a folder is needed there: look at EPMUX_HOME, XDG_STATE_HOME, HOME and TMPDIR',
};
const MEANINGS: Readonly<Record<string, Meaning>> = {
  ENOSPC: { code: 'DISK_FULL' },
  EDQUOT: { code: 'DISK_FULL' },
  EACCES: { code: 'PERMISSION_DENIED' },
  EPERM: { code: 'PERMISSION_DENIED' },
  EROFS: { code: 'PERMISSION_DENIED' },
  EEXIST: NO_FOLDER,
  ENOTDIR: NO_FOLDER,
  ELOOP: NO_FOLDER,
  ENAMETOOLONG: NO_FOLDER,
};

/** The system's own code (`ENOENT`), or undefined. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}

/** What the system refused, in epmux's codes; INTERNAL where it is thought impossible. */
export function systemError(cause: unknown, message: string): EpmuxError {
  return meant(MEANINGS[systemCode(cause) ?? ''] ?? { code: 'INTERNAL' }, cause, message);
}

function meant({ code, hint }: Meaning, cause: unknown, message: string): EpmuxError {
  return new EpmuxError(code, message, { cause, ...(hint === undefined ? {} : { hint }) });
}

/** What went wrong with a file, in epmux's codes. */
export function fileError(error: unknown, path: string): EpmuxError {
  if (error instanceof EpmuxError) return error;
  const reason = messageOf(error);
  return systemError(error, `${path}: ${reason}`);
}

/**
 * As `fileError`, of a folder that was to be made: nothing can be below what has no place for it.
 */
export function folderError(error: unknown, path: string): EpmuxError {
  if (systemCode(error) !== 'ENOENT') return fileError(error, path);
  return meant(NO_FOLDER, error, `${path}: ${messageOf(error)}`);
}
