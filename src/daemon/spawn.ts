import { spawn } from 'node:child_process';
import { closeSync, fstatSync, ftruncateSync, openSync, readSync } from 'node:fs';
import { homedir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { EpmuxError } from '../protocol/errors.ts';
import { VERSION } from '../runtime/version.ts';
import { type ControlClient, connectDaemon } from './control/client.ts';
import { withoutSecrets } from './environment.ts';
import { fileError } from './files.ts';
import { type DaemonPaths, ensureFolders } from './paths.ts';

const START_TIMEOUT_MS = 20_000;
const POLL_MS = 50;
const MAX_STDERR_BYTES = 262_144;
const REASON_BYTES = 4_096;
export interface EnsureOptions {
  /** The program's main script, which is started with the argument `daemon`; the running one unless told. */
  readonly script?: string;
  /** Further arguments for a daemon that is started. */
  readonly args?: readonly string[];
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** Says hello. DAEMON_VERSION when the daemon is of another version. */
async function greet(client: ControlClient, signal: AbortSignal): Promise<ControlClient> {
  try {
    const { version, pid } = await client.call('hello', {}, { signal });
    if (version === VERSION) return client;
    throw new EpmuxError(
      'DAEMON_VERSION',
      `the daemon that runs (pid ${pid}) is epmux ${version}, this command is ${VERSION}`,
    );
  } catch (error) {
    client.close();
    throw error;
  }
}

/** A daemon that has just begun to end, or is just beginning, may drop a connection: that is no answer yet. */
async function tryDaemon(
  paths: DaemonPaths,
  signal: AbortSignal,
): Promise<ControlClient | undefined> {
  try {
    return await greet(await connectDaemon(paths, { signal }), signal);
  } catch (error) {
    if (error instanceof EpmuxError && error.code === 'DAEMON_NOT_RUNNING') return undefined;
    throw error;
  }
}

interface Child {
  readonly ended: () => { readonly code: number | null } | undefined;
  /** What it wrote to its stderr, shortened from the front. */
  readonly reason: () => string;
  release(): void;
}

function startDetached(paths: DaemonPaths, script: string, args: readonly string[]): Child {
  const log = openSync(paths.stderrFile, 'a+', 0o600);
  if (fstatSync(log).size > MAX_STDERR_BYTES) ftruncateSync(log);
  const from = fstatSync(log).size;
  // Secrets reach the daemon over the control socket.
  const env = withoutSecrets(process.env);
  const child = spawn(process.execPath, [...process.execArgv, script, 'daemon', ...args], {
    detached: true,
    stdio: ['ignore', log, log],
    env,
    // A background process must not keep a folder busy; loader options of node may name modules relative to this one.
    cwd: process.execArgv.length === 0 ? homedir() : process.cwd(),
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
  return {
    ended: () => end,
    reason: () => {
      const size = Math.max(0, fstatSync(log).size - from);
      const bytes = Buffer.alloc(Math.min(size, REASON_BYTES));
      readSync(log, bytes, 0, bytes.length, from + size - bytes.length);
      return failure || bytes.toString('utf8').trim();
    },
    release: () => closeSync(log),
  };
}

async function awaitReady(
  paths: DaemonPaths,
  child: Child,
  limit: AbortSignal,
): Promise<ControlClient> {
  for (;;) {
    const client = await tryDaemon(paths, limit);
    if (client !== undefined) return client;
    const ended = child.ended();
    // DAEMON_BUSY: another `up` was faster, and its daemon is about to answer.
    if (ended !== undefined && !child.reason().includes('(DAEMON_BUSY)')) {
      throw new EpmuxError(
        'DAEMON_START_FAILED',
        `the daemon ended at once (exit ${ended.code}): ${child.reason() || 'without a word'}`,
      );
    }
    await delay(POLL_MS, undefined, { signal: limit });
  }
}

/**
 * A greeted connection to the daemon, which is started in the background when none runs. Two at once end with one daemon. Fails with
 * DAEMON_START_FAILED (with the reason), DAEMON_VERSION, INTERRUPTED, or what `ensureFolders` fails with.
 */
export async function ensureDaemon(
  paths: DaemonPaths,
  options: EnsureOptions = {},
): Promise<ControlClient> {
  ensureFolders(paths);
  const { timeoutMs = START_TIMEOUT_MS, script = process.argv[1] ?? '', args = [] } = options;
  const timeout = AbortSignal.timeout(timeoutMs);
  const limit = options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]);
  let child: Child | undefined;
  try {
    const running = await tryDaemon(paths, limit);
    if (running !== undefined) return running;
    child = startDetached(paths, script, args);
    return await awaitReady(paths, child, limit);
  } catch (error) {
    if (options.signal?.aborted) throw new EpmuxError('INTERRUPTED', 'interrupted');
    if (!timeout.aborted) throw fileError(error, paths.stderrFile);
    const said = child?.reason();
    throw new EpmuxError(
      'DAEMON_START_FAILED',
      `the daemon did not answer within ${timeoutMs} ms${said ? `: ${said}` : ''}`,
      { cause: error },
    );
  } finally {
    child?.release();
  }
}
