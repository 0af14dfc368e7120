import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { EpmuxError } from '../protocol/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import { sleep } from '../runtime/wait.ts';

/** How long a process group may take to end after TERM. */
const TERM_LIMIT_MS = 2_000;
/** Between looks whether it has. */
const LOOK_MS = 50;

/** Those of this process of which something may be left. */
const living = new Set<ProcessGroup>();

/**
 * Ends all commands of this process: nobody kills what is left of them once it is gone. Takes 2 s
 * at most.
 */
export async function endCommands(): Promise<void> {
  await Promise.all([...living].map((group) => group.end()));
}

export interface ProcessOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Where it runs; where this process does unless given. */
  readonly folder?: string | undefined;
  readonly clock: Clock;
}

/**
 * A shell command as the leader of a process group of its own, so that everything it starts ends
 * with it.
 */
export class ProcessGroup {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #clock: Clock;
  #ended: Promise<void> | undefined;

  private constructor(command: string, { env, folder, clock }: ProcessOptions) {
    this.#clock = clock;
    this.child = spawn('/bin/sh', ['-c', command], {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
      env,
      cwd: folder,
    });
  }

  /** Throws COMMAND_FAILED when no process can be made. */
  static async start(command: string, options: ProcessOptions): Promise<ProcessGroup> {
    const group = new ProcessGroup(command, options);
    try {
      await once(group.child, 'spawn');
    } catch (cause) {
      throw new EpmuxError('COMMAND_FAILED', 'no process could be started for the command', {
        cause,
      });
    }
    living.add(group);
    return group;
  }

  /**
   * TERM to the whole group, and KILL to what is left of it after the limit. Resolves when nothing
   * is left or KILL was sent. Idempotent.
   */
  end(): Promise<void> {
    this.#ended ??= this.#end();
    return this.#ended;
  }

  async #end(): Promise<void> {
    const killAt = this.#clock.now() + TERM_LIMIT_MS;
    this.#signal('SIGTERM');
    // What is stopped takes TERM only once it goes on.
    this.#signal('SIGCONT');
    while (this.#signal(0) && this.#clock.now() < killAt) await sleep(this.#clock, LOOK_MS);
    this.#signal('SIGKILL');
    living.delete(this);
  }

  /** False when nothing of the group is left. */
  #signal(signal: NodeJS.Signals | 0): boolean {
    const { pid } = this.child;
    if (pid === undefined) return false;
    try {
      process.kill(-pid, signal);
      return true;
    } catch {
      return false;
    }
  }
}
