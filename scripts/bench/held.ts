/**
 * What the kernel holds of a port's connections while something runs: looks of `ss` (iproute2), on
 * Linux.
 */
import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const LOOK_EVERY_MS = 100;
const LOOK_LIMIT_MS = 5_000;
const MB = 1e6;
const run = promisify(execFile);

/**
 * The result of the work, and what lay at each look between who listens on the port and who reads
 * from there, MB: in the send buffer of the one and the receive buffer of the other. No looks:
 * there is no `ss`, or it failed.
 */
export async function heldWhile<T>(port: number, work: () => Promise<T>): Promise<[T, number[]]> {
  let isOver = false;
  const looking = look(port, () => isOver);
  try {
    const result = await work();
    isOver = true;
    return [result, await looking];
  } finally {
    isOver = true;
  }
}

async function look(port: number, isOver: () => boolean): Promise<number[]> {
  const looks: number[] = [];
  try {
    while (!isOver()) {
      const [sending, unread] = await Promise.all([
        queues(`sport = :${port}`, 1),
        queues(`dport = :${port}`, 0),
      ]);
      looks.push(sending + unread);
      await delay(LOOK_EVERY_MS);
    }
  } catch {
    return [];
  }
  return looks;
}

/** The sum of a column of `ss`: 0 Recv-Q, 1 Send-Q. */
async function queues(filter: string, column: 0 | 1): Promise<number> {
  const { stdout } = await run('ss', ['-tnH', 'state', 'established', filter], {
    timeout: LOOK_LIMIT_MS,
  });
  const lines = stdout.trim().split('\n').filter(Boolean);
  return lines.reduce((sum, line) => sum + Number(line.trim().split(/\s+/)[column]), 0) / MB;
}
