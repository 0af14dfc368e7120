/** What processes hold, as Linux tells it under /proc. */
import { readdirSync, readFileSync } from 'node:fs';

export interface Holding {
  readonly rssBytes: number;
  readonly descriptors: number;
}

/** Of a process that has gone: undefined. */
export function holding(pid: number): Holding | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const kib = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
    return { rssBytes: kib * 1024, descriptors: readdirSync(`/proc/${pid}/fd`).length };
  } catch {
    return undefined;
  }
}

/** The processes whose environment holds this, oldest first. */
export function withEnvironment(entry: string): number[] {
  const has = (pid: string): boolean => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(entry);
    } catch {
      // It has ended, or is another user's.
      return false;
    }
  };
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids
    .filter(has)
    .map(Number)
    .sort((a, b) => a - b);
}

export function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}
