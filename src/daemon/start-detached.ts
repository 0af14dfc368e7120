import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { withoutSecrets } from '../runtime/environment.ts';
import { enterableHome } from '../runtime/home.ts';
import { fileError } from '../runtime/system-error.ts';
import { daemonLimits } from './limits.ts';
import { type DaemonPaths, ensureFolders, withResolvedPaths } from './paths.ts';
import { cutStderr } from './stderr-file.ts';

const REASON_BYTES = 4_096;

/** A supervisor that was started in the background. */
export interface StartedDaemon {
  readonly ended: () => { readonly code: number | null } | undefined;
  /** What it wrote to its stderr, shortened from the front. */
  readonly reason: () => string;
  /** It stays; what tells the reason is let go of. Idempotent. */
  release(): void;
  /** Ends it in order, for nobody needs it, unless it was released. */
  giveUp(): void;
}

/**
 * Finds out what a daemon would end by at once. Throws CONFIG_INVALID, DISK_FULL, PERMISSION_DENIED
 * or INTERNAL.
 */
export function assertStartable({ stateDir }: DaemonPaths): void {
  daemonLimits(process.env);
  assertRoom(stateDir);
}

/** On a full disk a daemon ends without a word: it has nowhere to write one. */
function assertRoom(folder: string): void {
  const probe = join(folder, `.probe.${process.pid}`);
  try {
    writeFileSync(probe, '.', { mode: 0o600 });
  } catch (error) {
    throw fileError(error, folder);
  } finally {
    rmSync(probe, { force: true });
  }
}

export function startDetached(
  paths: DaemonPaths,
  script: string,
  args: readonly string[],
): StartedDaemon {
  cutStderr(paths.stderrFile);
  const log = openSync(paths.stderrFile, 'a+', 0o600);
  const from = fstatSync(log).size;
  // Secrets reach the daemon over the control socket.
  const env = withoutSecrets(withResolvedPaths(process.env));
  const child = spawn(process.execPath, [...process.execArgv, script, 'supervisor', ...args], {
    detached: true,
    stdio: ['ignore', log, log],
    env,
    // A background process must not keep a folder busy; loader options of node may name modules
    // relative to this one.
    cwd:
      process.execArgv.length === 0
        ? (enterableHome(process.env) ?? paths.stateDir)
        : process.cwd(),
  });
  let end: { readonly code: number | null } | undefined;
  let failure = '';
  child.on('error', (error) => {
    failure = error.message;
    end = { code: null };
  });
  child.on('exit', (code) => {
    end = { code };
  });
  child.unref();
  let isReleased = false;
  return {
    ended: () => end,
    reason: () => {
      const size = Math.max(0, fstatSync(log).size - from);
      const bytes = Buffer.alloc(Math.min(size, REASON_BYTES));
      readSync(log, bytes, 0, bytes.length, from + size - bytes.length);
      return failure || bytes.toString('utf8').trim();
    },
    release: () => {
      if (!isReleased) closeSync(log);
      isReleased = true;
    },
    giveUp: () => {
      if (!isReleased) child.kill('SIGTERM');
    },
  };
}

/**
 * Starts one where nothing is left of another: before it is known whether it will be needed, so
 * that it starts while that is found out. Undefined: there may be one, or it can't be;
 * `ensureDaemon` tells.
 */
export function startIfNone(
  paths: DaemonPaths,
  script: string,
  args: readonly string[],
): StartedDaemon | undefined {
  const traces = [paths.controlSocket, paths.lockFile, paths.supervisorLockFile];
  if (traces.some((file) => existsSync(file))) return undefined;
  try {
    ensureFolders(paths);
    assertStartable(paths);
    return startDetached(paths, script, args);
  } catch {
    return undefined;
  }
}
