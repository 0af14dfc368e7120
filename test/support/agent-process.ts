/** The agent as it runs in a dyno: its bundle, in a process of its own. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { bundleAgent } from '../../scripts/bundle-agent.ts';

const WAIT_MS = 10_000;

let bundle: Promise<string> | undefined;

/** The path of the agent's bundle, built once for this run of the tests and removed with it. */
export function agentBundle(): Promise<string> {
  bundle ??= build();
  return bundle;
}

async function build(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'epmux-agent-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'agent.mjs');
  await bundleAgent(file);
  return file;
}

export interface AgentProcessOptions {
  readonly env?: Readonly<Record<string, string>>;
  /**
   * What to start instead of the agent's own command line, such as `unshare` with that line behind
   * it.
   */
  readonly wrap?: (words: readonly string[]) => readonly string[];
  readonly node?: string;
  /** In a session of its own: the terminal of who runs the tests, if there is one, is not its. */
  readonly detached?: boolean;
}

export class AgentProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #exited: Promise<number>;
  #stdout = '';
  #stderr = '';
  #changed: (() => void) | undefined;

  static async start(
    args: readonly string[],
    options: AgentProcessOptions = {},
  ): Promise<AgentProcess> {
    return new AgentProcess(await agentBundle(), args, options);
  }

  private constructor(file: string, args: readonly string[], options: AgentProcessOptions) {
    const words = [options.node ?? process.execPath, file, ...args];
    const [program = '', ...rest] = options.wrap?.(words) ?? words;
    const env = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', ...options.env };
    const { detached = false } = options;
    const child = spawn(program, rest, { env, stdio: ['pipe', 'pipe', 'pipe'], detached });
    this.#child = child;
    const kill = (): void => {
      child.kill('SIGKILL');
    };
    process.once('exit', kill);
    child.stdin.on('error', () => {});
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      this.#changed?.();
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
      this.#changed?.();
    });
    this.#exited = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        process.off('exit', kill);
        this.#changed?.();
        if (code === null) reject(new Error(`the agent was ended by ${signal}: ${this.#stderr}`));
        else resolve(code);
      });
    });
    // Whoever awaits it is told; nobody has to.
    this.#exited.catch(() => {});
  }

  get stdin(): Writable {
    return this.#child.stdin;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the agent did not start');
    return this.#child.pid;
  }

  /** The exit code; rejects when a signal ended it, and after a limit. */
  async exitCode(): Promise<number> {
    return this.#within(this.#exited, 'the agent to exit');
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves with the match once stdout or stderr holds it. */
  async said(from: 'stdout' | 'stderr', pattern: RegExp): Promise<RegExpExecArray> {
    const match = new Promise<RegExpExecArray>((resolve, reject) => {
      const look = (): void => {
        const found = pattern.exec(from === 'stdout' ? this.#stdout : this.#stderr);
        if (found !== null) resolve(found);
        else if (this.#child.exitCode !== null) reject(new Error(`gone: ${this.#stderr}`));
      };
      this.#changed = look;
      look();
    });
    return this.#within(match, `${from} to hold ${pattern}`);
  }

  /** Ends it whatever it does. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited.catch(() => undefined);
  }

  async #within<T>(work: Promise<T>, what: string): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`waited for ${what}: ${this.#stdout}\n${this.#stderr}`)),
        WAIT_MS,
      );
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
