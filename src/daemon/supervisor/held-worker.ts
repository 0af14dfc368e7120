import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { presentNode } from '../../runtime/own-program.ts';

/**
 * What no worker can be started without and is not there any more: an update or a removal took it
 * away. Undefined: nothing.
 */
export function missingProgram(): string | undefined {
  if (presentNode(process.env) === undefined) return process.execPath;
  const script = process.argv[1] ?? '';
  return existsSync(script) ? undefined : script;
}

/**
 * Of libuv's threads look-ups of names may have half; of the four that it has by itself two silent
 * name servers would hold all, and every tunnel would wait for them.
 */
const THREADS = '16';

/** What a worker has of its supervisor's environment, and besides. */
export function workerEnv(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  // It is this process that systemd hears of, not the worker and what that starts.
  const { NOTIFY_SOCKET: _, WATCHDOG_PID: __, WATCHDOG_USEC: ___, ...rest } = env;
  return { UV_THREADPOOL_SIZE: THREADS, ...rest };
}

/** A worker on this supervisor's own program; `args` are the worker's. */
export function spawnWorker(args: readonly string[]): ChildProcess {
  const env = workerEnv(process.env);
  const script = process.argv[1] ?? '';
  const child = spawn(
    presentNode(env) ?? process.execPath,
    [...process.execArgv, script, 'daemon', ...args, '--memory'],
    { stdio: ['pipe', 'inherit', 'inherit'], env },
  );
  // One that ends before it has read is seen by its end.
  child.stdin?.on('error', () => undefined);
  return child;
}

/**
 * A worker that loads, and touches nothing until it is let go: what its supervisor still has to
 * make sure of takes as long. Without a word it ends.
 */
export class HeldWorker {
  #child: ChildProcess | undefined;

  /** `args`: the worker's own; wrong ones are the supervisor's to refuse. */
  constructor(args: readonly string[]) {
    this.#child = spawnWorker([...args, '--held']);
    // Told to whoever lets it go.
    this.#child.on('error', () => undefined);
  }

  /** Once; undefined when it was let go or dropped, or has ended meanwhile. */
  letGo(word: string): ChildProcess | undefined {
    const child = this.#child;
    this.#child = undefined;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) {
      return undefined;
    }
    child.stdin?.end(word);
    return child;
  }

  /** Nobody needs it. */
  drop(): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }
}
