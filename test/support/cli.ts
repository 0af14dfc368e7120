/**
 * The real `epmux` as a child in a home folder of its own, against a control socket that answers as
 * the test says.
 *
 *     const home = await CliHome.make();
 *     await home.daemon({ status: () => ({ daemon, tunnels: [] }) });
 *     const { code, stdout, stderr } = await home.run(['status', '--json']);
 *     await home.remove();
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { ControlMethod, ControlMethods } from '../../src/daemon/control/api.ts';
import type { ControlCall, ControlHandlers } from '../../src/daemon/control/handlers.ts';
import { ControlServer } from '../../src/daemon/control/server.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { VERSION } from '../../src/runtime/version.ts';
import { DEFAULT_LIMITS } from './default-limits.ts';
import { EPMUX } from './dyno.ts';
import { within } from './erlang.ts';

export interface CliRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: string;
  /** A descriptor to print to, instead of a pipe to the test. */
  readonly stdout?: number;
}

type Answers = {
  readonly [M in ControlMethod]?: (
    params: ControlMethods[M][0],
    call: ControlCall,
  ) => Promise<ControlMethods[M][1]> | ControlMethods[M][1];
};

export class CliHome {
  readonly folder: string;
  readonly env: Record<string, string>;
  readonly #children = new Set<ChildProcess>();
  #server: ControlServer | undefined;

  private constructor(folder: string) {
    this.folder = folder;
    this.env = {
      PATH: process.env['PATH'] ?? '/usr/bin:/bin',
      HOME: folder,
      EPMUX_HOME: join(folder, 'state'),
      LANG: 'C.UTF-8',
    };
  }

  static async make(): Promise<CliHome> {
    return new CliHome(await realpath(await mkdtemp(join(tmpdir(), 'epmux-cli-'))));
  }

  /** Writes a file below the home folder and gives its path. */
  async write(name: string, text: string): Promise<string> {
    const path = join(this.folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
    return path;
  }

  /** A daemon with these answers; others fail. */
  async daemon(answers: Answers): Promise<void> {
    const runDir = join(this.folder, 'state', 'run');
    await mkdir(runDir, { recursive: true, mode: 0o700 });
    const hello = () => ({ version: VERSION, pid: process.pid });
    const all: Answers = { hello, ...answers };
    const handlers = Object.fromEntries(
      METHODS.map((method) => [
        method,
        {
          params: (value: unknown) => value,
          run: (params: never, call: ControlCall) => {
            const answer = all[method] as ((p: never, c: ControlCall) => unknown) | undefined;
            if (answer === undefined) throw new Error(`${method} was not to be asked`);
            return answer(params, call);
          },
        },
      ]),
    ) as unknown as ControlHandlers;
    const socket = join(runDir, 'control.sock');
    this.#server = await ControlServer.listen(socket, handlers, silentLogger, DEFAULT_LIMITS);
  }

  start(args: readonly string[], options: CliOptions = {}): ChildProcess {
    const [node = '', ...rest] = EPMUX;
    const child = spawn(node, [...rest, ...args], {
      cwd: options.cwd ?? this.folder,
      env: { ...this.env, ...options.env },
      stdio: ['pipe', options.stdout ?? 'pipe', 'pipe'],
    });
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    return child;
  }

  async run(args: readonly string[], options: CliOptions = {}): Promise<CliRun> {
    const child = this.start(args, options);
    return outcome(child, `epmux ${args.join(' ')}`, options.stdin ?? '');
  }

  async remove(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    await this.#server?.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

const METHODS: readonly ControlMethod[] = [
  'hello',
  'up',
  'down',
  'status',
  'leading',
  'spec',
  'resolve',
  'ping',
];

/** What a child printed, and its exit code. */
export async function outcome(child: ChildProcess, title: string, stdin?: string): Promise<CliRun> {
  const run = { stdout: '', stderr: '' };
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    run.stdout += chunk;
  });
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    run.stderr += chunk;
  });
  child.stdin?.on('error', () => undefined);
  if (stdin !== undefined) child.stdin?.end(stdin);
  const explain = () => {
    child.kill('SIGKILL');
    return `${title}\n${run.stdout}\n${run.stderr}`;
  };
  const [code] = await within(once(child, 'close'), explain);
  return { code, ...run };
}
