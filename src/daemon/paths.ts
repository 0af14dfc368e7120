import { chmodSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { EpmuxError } from '../protocol/errors.ts';
import type { Environment } from '../runtime/environment.ts';
import { homeFolder, xdgFolder } from '../runtime/home.ts';
import { folderError, systemCode } from '../runtime/system-error.ts';

/**
 * Longest path of a unix socket that every system takes (macOS: 104 bytes with the final NUL). Some
 * systems cut a longer one silently, so it is checked here.
 */
const MAX_SOCKET_PATH_BYTES = 103;

/** Where everything of one daemon lies. All folders are 0700, all files 0600. */
export interface DaemonPaths {
  readonly stateDir: string;
  readonly runtimeDir: string;
  readonly secretsDir: string;
  readonly controlSocket: string;
  readonly lockFile: string;
  readonly supervisorLockFile: string;
  /** Reports of workers that died. */
  readonly crashesDir: string;
  readonly stateFile: string;
  readonly logFile: string;
  /** What the daemon's process itself writes: a crash before or beside its log. */
  readonly stderrFile: string;
  readonly inetrcFile: string;
  readonly hostsFile: string;
}

/**
 * A login may leave the variable behind without the folder, or with another user's (su, cron,
 * containers).
 */
function isOwnFolder(path: string): boolean {
  try {
    const found = statSync(path);
    return found.isDirectory() && found.uid === (process.getuid?.() ?? found.uid);
  } catch {
    return false;
  }
}

/** CONFIG_INVALID where a relative path means nothing. */
function resolved(variable: string, path: string): string {
  try {
    return resolve(path);
  } catch (cause) {
    const what = `${variable} is a relative path, and the working folder is not there any more`;
    throw new EpmuxError('CONFIG_INVALID', what, {
      cause,
      hint: 'change to a folder that is there',
    });
  }
}

/**
 * EPMUX_HOME puts everything under one folder; else $XDG_STATE_HOME/epmux (~/.local/state/epmux)
 * and $XDG_RUNTIME_DIR/epmux (else `run` in the state folder, also when that runtime folder is not
 * there or not this user's). Nothing is created here.
 */
export function daemonPaths(env: Environment = process.env): DaemonPaths {
  const home = env['EPMUX_HOME'];
  const stateHome = xdgFolder(env, 'XDG_STATE_HOME') ?? join(homeFolder(env), '.local', 'state');
  const stateDir = home ? resolved('EPMUX_HOME', home) : join(stateHome, 'epmux');
  const runtimeHome = home ? undefined : xdgFolder(env, 'XDG_RUNTIME_DIR');
  const runtimeDir =
    runtimeHome !== undefined && isOwnFolder(runtimeHome)
      ? join(runtimeHome, 'epmux')
      : join(stateDir, 'run');
  return {
    stateDir,
    runtimeDir,
    secretsDir: join(stateDir, 'secrets'),
    controlSocket: join(runtimeDir, 'control.sock'),
    lockFile: join(stateDir, 'daemon.lock'),
    supervisorLockFile: join(stateDir, 'supervisor.lock'),
    crashesDir: join(stateDir, 'crashes'),
    stateFile: join(stateDir, 'state.json'),
    logFile: join(stateDir, 'daemon.log'),
    stderrFile: join(stateDir, 'daemon.stderr'),
    inetrcFile: join(stateDir, 'inetrc'),
    hostsFile: join(stateDir, 'hosts'),
  };
}

const PATH_VARIABLES = ['EPMUX_HOME', 'NODE_EXTRA_CA_CERTS'] as const;

/** The environment for a process with another working folder: it finds the same paths. */
export function withResolvedPaths<E extends Environment>(env: E): E {
  const set = PATH_VARIABLES.flatMap((name) =>
    env[name] ? [[name, resolved(name, env[name])]] : [],
  );
  return { ...env, ...Object.fromEntries(set) };
}

/** CONFIG_INVALID when the control socket's path is longer than a unix socket can have. */
export function checkSocketPath(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes <= MAX_SOCKET_PATH_BYTES) return;
  throw new EpmuxError(
    'CONFIG_INVALID',
    `the control socket's path is ${bytes} bytes long, ${MAX_SOCKET_PATH_BYTES} are possible: ${path}`,
    { hint: 'set EPMUX_HOME (or XDG_RUNTIME_DIR) to a folder with a shorter path' },
  );
}

/**
 * One by one: Node's own recursion goes round for ever where a folder is there and takes none, as
 * /proc.
 */
function makeFolders(path: string): void {
  if (existsSync(path)) return;
  makeFolders(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another start was faster.
    if (systemCode(error) !== 'EEXIST' || !existsSync(path)) throw error;
  }
}

/**
 * Makes the folder, or checks that it is this user's own, and closes it to others.
 * PERMISSION_DENIED when it is another's.
 */
function ensurePrivateFolder(path: string): void {
  try {
    makeFolders(path);
    const found = statSync(path);
    const uid = process.getuid?.();
    if (uid !== undefined && found.uid !== uid) {
      throw new EpmuxError('PERMISSION_DENIED', `${path} belongs to user ${found.uid}, not to you`);
    }
    if ((found.mode & 0o077) !== 0) chmodSync(path, 0o700);
  } catch (error) {
    throw folderError(error, path);
  }
}

export function ensureFolders(paths: DaemonPaths): void {
  checkSocketPath(paths.controlSocket);
  for (const folder of [paths.stateDir, paths.runtimeDir, paths.secretsDir]) {
    ensurePrivateFolder(folder);
  }
}

/**
 * The runtime folder alone, which a logout removes with the one it is in. PERMISSION_DENIED while
 * that is not there, or another's.
 */
export function ensureRuntimeFolder({ runtimeDir }: DaemonPaths): void {
  const above = dirname(runtimeDir);
  if (!isOwnFolder(above)) {
    throw new EpmuxError('PERMISSION_DENIED', `${above} is not there, or not yours`);
  }
  ensurePrivateFolder(runtimeDir);
}
