import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseEnviron } from './environ.ts';
import { readPlain } from './plain-file.ts';

/** One running BEAM as the system shows it to its own user. */
export interface BeamProcess {
  readonly pid: number;
  /** As given by `-sname` or `-name`, else by RELEASE_NODE: with or without `@host`. */
  readonly node: string | undefined;
  /** Given by `-sname`: without `@host` the host is this one's short name. */
  readonly hasShortName: boolean;
  /** The value of `-setcookie`. */
  readonly setCookie: string | undefined;
  readonly env: ReadonlyMap<string, string>;
}

export const PROCESS_LIMITS = {
  processes: 4_096,
  beams: 32,
  commandLineBytes: 64 * 1024,
  environmentBytes: 256 * 1024,
} as const;

const COMM_BYTES = 64;
/** One after the other, a hundred processes take a tenth of a second. */
const READS_AT_ONCE = 32;
const STAT_BYTES = 1_024;
/** The helper that every BEAM has as a child, whatever the BEAM itself is called. */
const CHILD_SETUP = 'erl_child_setup';

/** The BEAMs of this user. Empty where there is no such folder. What can't be read is left out. */
export async function beamProcesses(proc: string, uid: number): Promise<readonly BeamProcess[]> {
  const own = await ownProcesses(proc, uid);
  const pids = new Set<number>();
  for (let at = 0; at < own.length && pids.size < PROCESS_LIMITS.beams; at += READS_AT_ONCE) {
    const some = own.slice(at, at + READS_AT_ONCE);
    for (const pid of await Promise.all(some.map((each) => beamBehind(proc, each, uid)))) {
      if (pid !== undefined && pids.size < PROCESS_LIMITS.beams) pids.add(pid);
    }
  }
  return Promise.all([...pids].map((pid) => describe(proc, pid)));
}

/** The process itself where it is a BEAM, its parent where it is a BEAM's helper. */
async function beamBehind(proc: string, pid: number, uid: number): Promise<number | undefined> {
  const comm = await readText(join(proc, String(pid), 'comm'), COMM_BYTES);
  if (comm?.startsWith('beam')) return pid;
  if (comm?.trimEnd() !== CHILD_SETUP) return undefined;
  const parent = await parentOf(proc, pid);
  return parent !== undefined && (await isOwn(proc, parent, uid)) ? parent : undefined;
}

async function ownProcesses(proc: string, uid: number): Promise<readonly number[]> {
  const names = await readdir(proc).catch(() => []);
  const pids = names.filter((name) => /^\d+$/.test(name)).slice(0, PROCESS_LIMITS.processes);
  const own = await Promise.all(
    pids.map(async (name) => ((await isOwn(proc, Number(name), uid)) ? Number(name) : undefined)),
  );
  return own.filter((pid) => pid !== undefined);
}

async function isOwn(proc: string, pid: number, uid: number): Promise<boolean> {
  try {
    return (await stat(join(proc, String(pid)))).uid === uid;
  } catch {
    return false;
  }
}

/** The fourth field of `stat`; the second, the name in parentheses, may hold anything. */
async function parentOf(proc: string, pid: number): Promise<number | undefined> {
  const text = await readText(join(proc, String(pid), 'stat'), STAT_BYTES);
  const parent = Number(text?.slice(text.lastIndexOf(')') + 1).split(' ')[2]);
  return Number.isInteger(parent) && parent > 0 ? parent : undefined;
}

async function describe(proc: string, pid: number): Promise<BeamProcess> {
  const folder = join(proc, String(pid));
  const { commandLineBytes, environmentBytes } = PROCESS_LIMITS;
  const words = split(await readText(join(folder, 'cmdline'), commandLineBytes));
  const env = parseEnviron((await readText(join(folder, 'environ'), environmentBytes)) ?? '');
  const short = flag(words, '-sname');
  const node = short ?? flag(words, '-name') ?? env.get('RELEASE_NODE');
  const setCookie = flag(words, '-setcookie');
  return { pid, node, hasShortName: short !== undefined, setCookie, env };
}

async function readText(path: string, maxBytes: number): Promise<string | undefined> {
  return (await readPlain(path, maxBytes))?.toString('utf8');
}

function split(text: string | undefined): readonly string[] {
  return (text ?? '').split('\0');
}

/**
 * The one value of a flag of the emulator; the last one counts. With two values `-setcookie` is
 * about another node.
 */
function flag(words: readonly string[], name: string): string | undefined {
  const end = words.indexOf('-extra');
  const own = end < 0 ? words : words.slice(0, end);
  for (let at = own.lastIndexOf(name); at >= 0; at = at > 0 ? own.lastIndexOf(name, at - 1) : -1) {
    const [value, next] = own.slice(at + 1);
    const single = next === undefined || next === '' || next.startsWith('-');
    if (value !== undefined && value !== '' && !value.startsWith('-') && single) return value;
  }
  return undefined;
}
