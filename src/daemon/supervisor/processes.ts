import type { ChildProcess } from 'node:child_process';
import { EpmuxError } from '../../protocol/errors.ts';
import type { Cancel, Clock } from '../../runtime/clock.ts';
import { deferred } from '../../runtime/wait.ts';
import { type ControlClient, connectDaemon } from '../control/client.ts';
import { incarnationOf, type LockHolder, livingHolder, readLockHolder } from '../lock.ts';
import type { DaemonPaths } from '../paths.ts';
import { cutStderr } from '../stderr-file.ts';
import { type HeldWorker, missingProgram, spawnWorker } from './held-worker.ts';
import type { Worker, WorkerEnd, Workers } from './worker.ts';

/** How soon the end of a process that is not a child is noticed. */
const LOOK_MS = 1_000;
/**
 * In the time that a worker may be silent for. What has changed is told at once, so there need not
 * be many.
 */
const QUESTIONS = 4;
const MAX_WAIT_MS = 7_500;
/** What a held worker is let go with where no worker was before it. */
const NOTHING = '[]';

export interface ProcessesOptions {
  readonly paths: DaemonPaths;
  readonly clock: Clock;
  /** For one answer. */
  readonly hangMs: number;
  /** The worker's own options. */
  readonly args: readonly string[];
  /** Loads already, with the same options. */
  readonly first: HeldWorker | undefined;
}

/** Real workers: those that it starts are its children, others are known by the lock. */
export class WorkerProcesses implements Workers {
  readonly #options: ProcessesOptions;

  constructor(options: ProcessesOptions) {
    this.#options = options;
  }

  find(): Worker | undefined {
    const holder = livingHolder(this.#options.paths.lockFile);
    if (holder === undefined) return undefined;
    this.#options.first?.drop();
    const { pid } = holder;
    const { ended, look } = this.#watchPid(holder);
    const ask = this.#asker(pid);
    return {
      pid,
      startedAt: undefined,
      ended,
      kill: (signal) => {
        if (isThere(holder)) tryKill(pid, signal);
      },
      async ask(known, signal) {
        try {
          return await ask(known, signal);
        } catch (error) {
          // Its connection may have ended with it.
          look();
          throw error;
        }
      },
    };
  }

  missing(): string | undefined {
    return missingProgram();
  }

  start(memory: string, restarts: number): Worker {
    const child = this.#options.first?.letGo(memory || NOTHING) ?? this.#spawn(memory, restarts);
    return {
      pid: child.pid ?? 0,
      startedAt: this.#options.clock.wallNow(),
      ended: childEnd(child),
      kill: (signal) => child.kill(signal),
      ask: this.#asker(child.pid),
    };
  }

  #spawn(memory: string, restarts: number): ChildProcess {
    cutStderr(this.#options.paths.stderrFile);
    const child = spawnWorker([...this.#options.args, '--restarts', String(restarts)]);
    child.stdin?.end(memory);
    return child;
  }

  /**
   * Over one connection, made again when it is gone. Another process that answers there is no sign
   * of life of this one.
   */
  #asker(pid: number | undefined): Worker['ask'] {
    const { hangMs } = this.#options;
    const waitMs = Math.min(MAX_WAIT_MS, Math.round(hangMs / QUESTIONS));
    let client: ControlClient | undefined;
    return async (known, signal) => {
      try {
        client ??= await this.#connect(pid, signal);
        const params = known === undefined ? { waitMs } : { known, waitMs };
        return await client.call('supervise', params, { signal, timeoutMs: hangMs });
      } catch (error) {
        const code = error instanceof EpmuxError ? error.code : undefined;
        if (code === 'DAEMON_BUSY') return 'refused';
        // A daemon of another version may know no such call, and runs all the same.
        if (code === 'CONTROL_PROTOCOL') return 'unknown';
        client?.close();
        client = undefined;
        throw error;
      }
    };
  }

  async #connect(pid: number | undefined, signal: AbortSignal): Promise<ControlClient> {
    const { paths, hangMs } = this.#options;
    const client = await connectDaemon(paths, { signal });
    try {
      const hello = await client.call('hello', {}, { signal, timeoutMs: hangMs });
      if (hello.pid === pid) return client;
      throw new EpmuxError('DAEMON_NOT_RUNNING', `another daemon answers, pid ${hello.pid}`);
    } catch (error) {
      client.close();
      throw error;
    }
  }

  #watchPid(holder: LockHolder): { readonly ended: Promise<WorkerEnd>; look(): void } {
    const { clock, paths } = this.#options;
    let cancel: Cancel = () => undefined;
    const ended = deferred<WorkerEnd>();
    const look = () => {
      cancel();
      if (isThere(holder)) {
        cancel = clock.wakeAt(clock.now() + LOOK_MS, look);
        return;
      }
      // In order the lock goes first; a crash leaves it behind.
      const inOrder = readLockHolder(paths.lockFile)?.pid !== holder.pid;
      ended.resolve({ inOrder, reason: 'it ended without a word', exitCode: undefined });
    };
    look();
    return { ended: ended.promise, look };
  }
}

function isThere({ pid, incarnation }: LockHolder): boolean {
  const now = incarnationOf(pid);
  return now !== undefined && (now === incarnation || now === '' || incarnation === '');
}

function tryKill(pid: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has just ended.
  }
}

function childEnd(child: ChildProcess): Promise<WorkerEnd> {
  return new Promise((resolve) => {
    child.once('error', ({ message }) =>
      resolve({ inOrder: false, reason: `it can not be started: ${message}`, exitCode: 1 }),
    );
    child.once('exit', (code, signal) =>
      resolve({
        inOrder: code === 0,
        reason: signal === null ? `exit code ${code}` : `killed by ${signal}`,
        exitCode: code ?? undefined,
      }),
    );
  });
}
