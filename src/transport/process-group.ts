import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { EpmuxError } from '../protocol/errors.ts';
import type { Cancel, Clock } from '../runtime/clock.ts';

/** How long a process group may take to end after TERM. */
const TERM_LIMIT_MS = 2_000;

/** A shell command as the leader of a process group of its own, so that everything it starts ends with it. */
export class ProcessGroup {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #clock: Clock;
  #cancelKill: Cancel | undefined;

  private constructor(command: string, env: NodeJS.ProcessEnv, clock: Clock) {
    this.#clock = clock;
    this.child = spawn('/bin/sh', ['-c', command], {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
      env,
    });
    this.child.once('exit', () => {
      if (!this.#signal(0)) this.#cancelKill?.();
    });
  }

  /** Throws COMMAND_FAILED when no process can be made. */
  static async start(command: string, env: NodeJS.ProcessEnv, clock: Clock): Promise<ProcessGroup> {
    const group = new ProcessGroup(command, env, clock);
    try {
      await once(group.child, 'spawn');
    } catch (cause) {
      throw new EpmuxError('COMMAND_FAILED', 'no process could be started for the command', {
        cause,
      });
    }
    return group;
  }

  /** TERM to the whole group, and KILL to what is left of it after the limit. Idempotent. */
  end(): void {
    if (this.#cancelKill !== undefined || !this.#signal('SIGTERM')) return;
    // What is stopped takes TERM only once it goes on.
    this.#signal('SIGCONT');
    this.#cancelKill = this.#clock.wakeAt(this.#clock.now() + TERM_LIMIT_MS, () =>
      this.#signal('SIGKILL'),
    );
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
