import { systemCode } from '../runtime/system-error.ts';

const TROUBLE: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission is denied',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of its path is no folder',
};

/** Why the operating system refused a file, for a person. */
export function fileTrouble(cause: unknown): string {
  const code = systemCode(cause);
  return TROUBLE[code ?? ''] ?? code ?? String(cause);
}
