import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { within } from '../erlang-process.ts';

const HOLD = 'hostname "$1" && ip link set lo up && echo ready && exec cat';

/** Why namespaces can't be had here; undefined where they can. */
export function namespacesMissing(): string | undefined {
  const { status } = spawnSync('unshare', ['--net', '--uts', 'true'], { stdio: 'ignore' });
  return status === 0
    ? undefined
    : 'a dyno needs a network namespace of its own, and only root may make one';
}

/**
 * A network of its own (loopback only) and a host name of its own, as a dyno has; ends with `stop`,
 * or with this process.
 */
export class Namespace {
  readonly hostName: string;
  readonly #holder: ChildProcess;

  private constructor(hostName: string, holder: ChildProcess) {
    this.hostName = hostName;
    this.#holder = holder;
  }

  static async start(hostName: string): Promise<Namespace> {
    const argv = ['--net', '--uts', 'sh', '-c', HOLD, 'hold', hostName];
    const holder = spawn('unshare', argv, { stdio: ['pipe', 'pipe', 'inherit'] });
    await within(once(holder.stdout, 'data'), () => `a namespace for ${hostName}`);
    return new Namespace(hostName, holder);
  }

  /** What a command that shall run in here begins with. */
  get prefix(): readonly string[] {
    return ['nsenter', '--target', String(this.#holder.pid), '--net', '--uts'];
  }

  /** Ends with all that runs in it, as a dyno does. */
  async stop(): Promise<void> {
    const { pid } = this.#holder;
    if (this.#holder.exitCode !== null || this.#holder.signalCode !== null) return;
    const exited = once(this.#holder, 'exit');
    const network = networkOf(String(pid));
    for (const each of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      if (network !== undefined && networkOf(each) === network) killIfThere(Number(each));
    }
    await exited;
  }
}

/** Undefined where the process has gone meanwhile. */
function networkOf(pid: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return undefined;
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
