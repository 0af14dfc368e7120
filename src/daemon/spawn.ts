import { setTimeout as delay } from 'node:timers/promises';
import { EpmuxError, type ErrorCode } from '../protocol/errors.ts';
import { fileError } from '../runtime/system-error.ts';
import { VERSION } from '../runtime/version.ts';
import { type ControlClient, connectDaemon } from './control/client.ts';
import { isHeld, livingHolder } from './lock.ts';
import { type DaemonPaths, ensureFolders } from './paths.ts';
import { assertStartable, type StartedDaemon, startDetached } from './start-detached.ts';

const START_TIMEOUT_MS = 20_000;
const POLL_MS = 10;
const BUSY_MS = 300;
/** For a daemon that died a moment ago, or whose socket's file is gone: it looks every 5 s. */
const RETURN_MS = 6_000;

export interface EnsureOptions {
  /**
   * The program's main script, which is started with the argument `supervisor`; the running one
   * unless told.
   */
  readonly script?: string;
  /** Further arguments for a daemon that is started. */
  readonly args?: readonly string[];
  /** One that is on its way already. */
  readonly started?: StartedDaemon | undefined;
  /** 20 s unless told. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

interface Greeted {
  readonly client: ControlClient;
  /** Its supervisor is gone. */
  readonly isAlone: boolean;
}

/** Says hello. DAEMON_VERSION when the daemon is of another version. */
async function greet(client: ControlClient, signal: AbortSignal): Promise<Greeted> {
  try {
    const { version, pid, supervisor } = await client.call('hello', {}, { signal });
    if (version === VERSION) return { client, isAlone: supervisor === null };
    throw new EpmuxError(
      'DAEMON_VERSION',
      `the daemon that runs (pid ${pid}) is epmux ${version}, this command is ${VERSION}`,
    );
  } catch (error) {
    client.close();
    throw error;
  }
}

/**
 * A daemon that has just begun to end, or is just beginning, may drop a connection: that is no
 * answer yet.
 */
async function tryDaemon(paths: DaemonPaths, signal: AbortSignal): Promise<Greeted | undefined> {
  try {
    return await greet(await connectDaemon(paths, { signal }), signal);
  } catch (error) {
    if (EpmuxError.is(error, 'DAEMON_NOT_RUNNING')) return undefined;
    throw error;
  }
}

/**
 * Starts it, again when another supervisor held the folder and has ended: while that one lives, its
 * daemon may be about to answer.
 */
async function startAndAwait(
  paths: DaemonPaths,
  start: () => StartedDaemon,
  limit: AbortSignal,
  started: StartedDaemon | undefined,
): Promise<ControlClient> {
  assertStartable(paths);
  let child = started ?? start();
  for (;;) {
    const greeted = await tryDaemon(paths, limit);
    if (greeted !== undefined) return greeted.client;
    const ended = child.ended();
    // With 0 it found one that was not its own, or that ended in order: most likely one that was
    // ending as this began.
    const isBeside = ended?.code === 0 || child.reason().includes('(DAEMON_BUSY)');
    if (ended !== undefined && !isBeside) {
      throw new EpmuxError(
        'DAEMON_START_FAILED',
        `the daemon ended at once (exit ${ended.code}): ${child.reason() || 'without a word'}`,
      );
    }
    await delay(ended === undefined ? POLL_MS : BUSY_MS, undefined, { signal: limit });
    if (ended !== undefined && !isHeld(paths)) child = start();
  }
}

/**
 * A greeted connection to the daemon, which is started in the background when none runs. Two at
 * once end with one daemon. Fails with DAEMON_START_FAILED (with the reason), DAEMON_VERSION,
 * INTERRUPTED (one that is still starting for it is ended), or what `ensureFolders` and
 * `assertStartable` fail with.
 */
export async function ensureDaemon(
  paths: DaemonPaths,
  options: EnsureOptions = {},
): Promise<ControlClient> {
  ensureFolders(paths);
  const { timeoutMs = START_TIMEOUT_MS, script = process.argv[1] ?? '', args = [] } = options;
  const { started } = options;
  const timeout = AbortSignal.timeout(timeoutMs);
  const limit = options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]);
  const children: StartedDaemon[] = started === undefined ? [] : [started];
  const start = () => {
    const child = startDetached(paths, script, args);
    children.push(child);
    return child;
  };
  try {
    const running = await tryDaemon(paths, limit);
    if (running?.isAlone) start();
    return running?.client ?? (await startAndAwait(paths, start, limit, started));
  } catch (error) {
    if (options.signal?.aborted) {
      for (const child of children) child.giveUp();
      throw new EpmuxError('INTERRUPTED', 'interrupted');
    }
    if (!timeout.aborted) throw fileError(error, paths.stderrFile);
    const living = unreachable('DAEMON_START_FAILED', paths, error);
    if (living !== undefined) throw living;
    const said = children.at(-1)?.reason();
    throw new EpmuxError(
      'DAEMON_START_FAILED',
      `the daemon did not answer within ${timeoutMs} ms${said ? `: ${said}` : ''}`,
      { cause: error },
    );
  } finally {
    for (const child of children) child.release();
  }
}

/** A daemon lives that nobody can ask; undefined: none does. */
function unreachable(code: ErrorCode, paths: DaemonPaths, cause: unknown): EpmuxError | undefined {
  const holder = livingHolder(paths.lockFile);
  if (holder === undefined) return undefined;
  const { pid, controlSocket } = holder;
  return new EpmuxError(
    code,
    `the daemon runs (pid ${pid}), and nothing answers on its control socket ${controlSocket}`,
    {
      cause,
      hint: `\`kill ${pid}\` ends it in order, and \`epmux up\` brings its tunnels back; \`epmux logs\` may say why`,
    },
  );
}

/**
 * Waits for one that its supervisor is bringing back, or that lives and is about to listen again.
 */
async function connectPatiently(
  paths: DaemonPaths,
  options: { readonly signal?: AbortSignal },
): Promise<ControlClient> {
  const patience = AbortSignal.timeout(RETURN_MS);
  for (;;) {
    try {
      return await connectDaemon(paths, options);
    } catch (error) {
      const isAway = EpmuxError.is(error, 'DAEMON_NOT_RUNNING');
      if (!isAway || !isHeld(paths)) throw error;
      if (patience.aborted) throw unreachable('DAEMON_BUSY', paths, error) ?? error;
      await delay(POLL_MS);
    }
  }
}

/**
 * A connection to the daemon that runs, or comes back within a moment. One whose supervisor is gone
 * gets another, which this process does not wait for. Fails as `connectDaemon` does, and with
 * DAEMON_BUSY when one lives that does not answer.
 */
export async function findDaemon(
  paths: DaemonPaths,
  options: { readonly signal?: AbortSignal } = {},
): Promise<ControlClient> {
  const client = await connectPatiently(paths, options);
  try {
    const { version, supervisor } = await client.call('hello', {}, options);
    // One of another version is left to its own program.
    if (supervisor === null && version === VERSION) {
      startDetached(paths, process.argv[1] ?? '', []).release();
    }
    return client;
  } catch (error) {
    client.close();
    throw fileError(error, paths.stderrFile);
  }
}
