import { statSync, truncateSync } from 'node:fs';

export const MAX_STDERR_BYTES = 262_144;

/**
 * Before a process that writes there starts: one that dies at each start leaves its words each
 * time.
 */
export function cutStderr(file: string): void {
  try {
    if (statSync(file).size > MAX_STDERR_BYTES) truncateSync(file);
  } catch {
    // There is none, or it can't be cut: no reason to start nothing. Who writes there hears what is
    // wrong with it.
  }
}
