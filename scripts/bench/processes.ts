import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import type { Answer, Command, Request } from './load/commands.ts';

const START_MS = 20_000;
const ANSWER_MS = 120_000;
/** A profile is written at the end. */
const STOP_MS = 5_000;

/**
 * What is started for a run, so that it can all be ended; a process that is told by its stdin has
 * ended by then.
 */
const started = new Set<ChildProcess>();

/** `ready` finds the port in what the process says on stdout and stderr. */
export async function startServer(
  argv: readonly string[],
  ready = /^(\d+)\n/,
  env: NodeJS.ProcessEnv = process.env,
): Promise<{ readonly child: ChildProcess; readonly port: number }> {
  const [file = '', ...args] = argv;
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], env });
  remember(child);
  let output = '';
  const port = new Promise<number>((resolve, reject) => {
    const take = (chunk: Buffer): void => {
      output = (output + chunk).slice(-4_096);
      const found = ready.exec(output);
      if (found !== null) resolve(Number(found[1] ?? 0));
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${argv.join(' ')}: exit ${code}\n${output}`)));
  });
  return {
    child,
    port: await within(port, START_MS, () => `${argv.join(' ')} is not ready: ${output}`),
  };
}

export function start(argv: readonly string[]): ChildProcess {
  const [file = '', ...args] = argv;
  const child = spawn(file, args, { stdio: 'ignore' });
  remember(child);
  return child;
}

function remember(child: ChildProcess): void {
  started.add(child);
  child.once('exit', () => started.delete(child));
}

export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  const impatience = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  child.kill('SIGTERM');
  await exited;
  clearTimeout(impatience);
}

export async function stopAll(): Promise<void> {
  await Promise.all([...started].map(stop));
}

/** A load generator in a process of its own. */
export class Generator {
  readonly #child: ChildProcess;

  constructor(file: string) {
    this.#child = fork(file, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    remember(this.#child);
  }

  async ask<K extends Request['do'], T>(command: Command<K>): Promise<T> {
    const answer = once(this.#child, 'message') as Promise<[Answer]>;
    this.#child.send(command);
    const [said] = await within(answer, ANSWER_MS, () => `no answer to ${JSON.stringify(command)}`);
    if ('error' in said) throw new Error(`${command.do}: ${said.error}`);
    return said.value as T;
  }
}

async function within<T>(promise: Promise<T>, ms: number, explain: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(explain())), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** These processes and all that they started. */
export function familyOf(roots: readonly number[]): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const parent = /^\d+$/.test(name) ? parentOf(name) : undefined;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const family = [...roots];
  for (let at = 0; at < family.length; at += 1)
    family.push(...(children.get(family[at] ?? 0) ?? []));
  return family;
}

function parentOf(pid: string): number | undefined {
  // The name of the program may hold spaces and brackets.
  const fields = read(`/proc/${pid}/stat`)
    ?.replace(/^.*\) /s, '')
    .split(' ');
  return fields === undefined ? undefined : Number(fields[1]);
}

/** CPU seconds of all threads of these processes so far. */
export function cpuSeconds(pids: readonly number[]): number {
  let nanoseconds = 0;
  for (const pid of pids) {
    for (const task of list(`/proc/${pid}/task`)) {
      nanoseconds += Number(read(`/proc/${pid}/task/${task}/schedstat`)?.split(' ')[0] ?? 0);
    }
  }
  return nanoseconds / 1e9;
}

/** Memory that would be free if these processes ended, in KiB. */
export function privateKiB(pids: readonly number[]): number {
  let kib = 0;
  for (const pid of pids) {
    const rollup = read(`/proc/${pid}/smaps_rollup`) ?? '';
    for (const [, amount] of rollup.matchAll(/^Private_\w+:\s+(\d+) kB$/gm)) kib += Number(amount);
  }
  return kib;
}

/** A process may end while it is looked at. */
function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
