/**
 * Processes of tests: ended with the test process whatever happens to it, and waits that have a
 * limit and an explanation.
 */
import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Readable, Writable } from 'node:stream';

export const WAIT_MS = 15_000;
const STOP_MS = 3_000;

/** A loopback port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

const alive = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

export type Program = ChildProcessByStdio<Writable, Readable, Readable>;

export function startProgram(argv: readonly string[], env: NodeJS.ProcessEnv): Program {
  const [file = '', ...args] = argv;
  const child = spawn(file, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
  alive.add(child);
  child.once('exit', () => alive.delete(child));
  child.once('error', () => alive.delete(child));
  // A child that has gone is told by `exit`; what was written to it meanwhile is of no interest.
  child.stdin.on('error', () => {});
  return child;
}

export function hasExited(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Ends stdin, which both our programs take as the wish to end; kills after a limit. */
export async function endProgram(child: Program, graceMs = STOP_MS): Promise<void> {
  if (hasExited(child)) return;
  const exited = once(child, 'exit');
  child.kill('SIGCONT');
  child.stdin.end();
  const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
  await exited;
  clearTimeout(timer);
}

/** `work`, or an error with `explain()` after the limit. */
export async function within<T>(
  work: Promise<T>,
  explain: () => string,
  limitMs = WAIT_MS,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`${limitMs} ms were not enough: ${explain()}`)),
      limitMs,
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
