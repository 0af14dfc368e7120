import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  linkSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import net from 'node:net';
import { EpmuxError } from '../protocol/errors.ts';
import { fileError, systemCode } from '../runtime/system-error.ts';
import type { DaemonPaths } from './paths.ts';

/**
 * A holder whose process lives but whose socket refuses is starting; after this long it is another
 * process with a used pid.
 */
const STARTING_MS = 30_000;
const PROBE_TIMEOUT_MS = 2_000;
const ATTEMPTS = 5;
const PS_TIMEOUT_MS = 2_000;

/** The two processes that have a state folder to themselves, each by a lock of its own. */
export type Role = 'daemon' | 'supervisor';

export interface LockHolder {
  readonly pid: number;
  /**
   * Tells a process from a later one with the same pid; empty where the system has nothing to tell
   * it by.
   */
  readonly incarnation: string;
  readonly controlSocket: string;
  /** A daemon in a terminal or under a supervisor of the user's: not for ours. */
  readonly foreground: boolean;
}

export interface Lock {
  /** False when somebody took it for stale, which only a race of three starts can bring about. */
  isOurs(): boolean;
  /**
   * Puts it back where its file is gone, as a cleaner of old files takes it; leaves another's lock
   * alone.
   */
  keep(): void;
  /** Idempotent; leaves another's lock alone. */
  release(): void;
}

/** States of processes that only their parent still knows. */
const GONE: ReadonlySet<string> = new Set(['Z', 'X']);

/** When a process was started, by `ps`; empty where that can't be had. */
export function startTimeByPs(pid: number): string {
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' },
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: PS_TIMEOUT_MS,
    }).trim();
  } catch {
    return '';
  }
}

/**
 * Boot and start time of a process, where the system tells them; undefined when it does not live.
 */
export function incarnationOf(pid: number): string | undefined {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (systemCode(error) !== 'EPERM') return undefined;
  }
  if (process.platform === 'darwin') return startTimeByPs(pid);
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in brackets, which may hold anything; the state is the
    // third, the start time the 22nd.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended: nobody has asked for its exit code yet, as in containers whose first
    // process never does.
    return GONE.has(fields[0] ?? '') ? undefined : `${boot}/${fields[19]}`;
  } catch {
    return '';
  }
}

/** Who holds the lock file; undefined when there is none or it can't be understood. */
export function readLockHolder(lockFile: string): LockHolder | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(lockFile, 'utf8'));
    if (typeof value !== 'object' || value === null) return undefined;
    const { pid, incarnation, controlSocket, foreground } = value as Partial<
      Record<string, unknown>
    >;
    if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid < 1) return undefined;
    if (typeof incarnation !== 'string' || typeof controlSocket !== 'string') return undefined;
    return { pid, incarnation, controlSocket, foreground: foreground === true };
  } catch {
    return undefined;
  }
}

/** Does anything accept connections on this unix socket? */
export function socketAnswers(path: string): Promise<boolean> {
  return new Promise((answer) => {
    const socket = net.connect(path);
    const done = (alive: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      answer(alive);
    };
    // A full backlog neither accepts nor refuses: somebody is there.
    const timer = setTimeout(() => done(true), PROBE_TIMEOUT_MS);
    socket.on('connect', () => done(true));
    socket.on('error', (error) => done(systemCode(error) === 'EAGAIN'));
  });
}

function ageMs(path: string): number {
  try {
    return Date.now() - statSync(path).mtimeMs;
  } catch {
    return 0;
  }
}

/**
 * Whether the process that wrote this lives; undefined where only its pid does, which may be
 * another's by now.
 */
function isSameProcess(holder: LockHolder): boolean | undefined {
  if (holder.pid === process.pid) return true;
  const incarnation = incarnationOf(holder.pid);
  if (incarnation === undefined) return false;
  if (incarnation !== '' && holder.incarnation !== '') return incarnation === holder.incarnation;
  return undefined;
}

/** Who holds the lock file and lives, as far as the system tells processes apart. */
export function livingHolder(lockFile: string): LockHolder | undefined {
  const holder = readLockHolder(lockFile);
  return holder === undefined || isSameProcess(holder) === false ? undefined : holder;
}

/** Whether a daemon or a supervisor of this state folder lives. */
export function isHeld(paths: DaemonPaths): boolean {
  return [paths.supervisorLockFile, paths.lockFile].some(
    (lock) => livingHolder(lock) !== undefined,
  );
}

async function isAlive(holder: LockHolder, lockFile: string, role: Role): Promise<boolean> {
  const same = isSameProcess(holder);
  // A supervisor has no socket to ask.
  if (same !== undefined || role === 'supervisor') return same ?? true;
  return (await socketAnswers(holder.controlSocket)) || ageMs(lockFile) < STARTING_MS;
}

function busy(paths: DaemonPaths, role: Role, holder: LockHolder | undefined): EpmuxError {
  const who = holder === undefined ? `another ${role}` : `the ${role} with pid ${holder.pid}`;
  return new EpmuxError('DAEMON_BUSY', `${who} holds ${paths.stateDir}`);
}

/** Creates the lock file with its whole content at once. False: there is one already. */
function create(lockFile: string, text: string): boolean {
  const draft = `${lockFile}.${process.pid}.${randomBytes(4).toString('hex')}`;
  try {
    writeFileSync(draft, text, { mode: 0o600, flag: 'wx' });
    linkSync(draft, lockFile);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw fileError(error, lockFile);
  } finally {
    rmSync(draft, { force: true });
  }
}

function tryCreate(lockFile: string, text: string): void {
  try {
    create(lockFile, text);
  } catch {
    // There is no room, or no folder, now: there may be at the next look.
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/**
 * Takes a dead holder's file away. If another start was faster and it is a living one's by now, it
 * is put back.
 */
function removeStale(lockFile: string, staleText: string): void {
  const aside = `${lockFile}.stale.${randomBytes(4).toString('hex')}`;
  try {
    renameSync(lockFile, aside);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw fileError(error, lockFile);
  }
  if (readText(aside) !== staleText) {
    try {
      linkSync(aside, lockFile);
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw fileError(error, lockFile);
    }
  }
  rmSync(aside, { force: true });
}

/**
 * Only one daemon, and one supervisor, on a state folder: an exclusive file that names its process,
 * which a crash leaves behind and the next start recognises as stale. DAEMON_BUSY when its holder
 * lives.
 */
export async function acquireLock(
  paths: DaemonPaths,
  role: Role = 'daemon',
  foreground = false,
): Promise<Lock> {
  const lockFile = role === 'daemon' ? paths.lockFile : paths.supervisorLockFile;
  const holder: LockHolder = {
    pid: process.pid,
    incarnation: incarnationOf(process.pid) ?? '',
    controlSocket: paths.controlSocket,
    foreground,
  };
  const text = `${JSON.stringify({ ...holder, nonce: randomBytes(8).toString('hex') })}\n`;
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    if (create(lockFile, text)) {
      const isOurs = () => readText(lockFile) === text;
      let isReleased = false;
      return {
        isOurs,
        keep: () => {
          if (!isReleased && !existsSync(lockFile)) tryCreate(lockFile, text);
        },
        release: () => {
          isReleased = true;
          if (isOurs()) rmSync(lockFile, { force: true });
        },
      };
    }
    const foundText = readText(lockFile);
    if (foundText === undefined) continue;
    const found = readLockHolder(lockFile);
    if (found !== undefined && (await isAlive(found, lockFile, role))) {
      throw busy(paths, role, found);
    }
    removeStale(lockFile, foundText);
  }
  throw busy(paths, role, undefined);
}
