import { setTimeout as delay } from 'node:timers/promises';
import { EpmuxError } from '../protocol/errors.ts';
import { systemCode } from '../runtime/system-error.ts';
import { VERSION } from '../runtime/version.ts';
import { type ControlClient, connectDaemon } from './control/client.ts';
import { isHeld, livingHolder } from './lock.ts';
import type { DaemonPaths } from './paths.ts';

const END_MS = 20_000;
/** For one that has nothing to end. */
const IDLE_END_MS = 3_000;
const POLL_MS = 50;

/**
 * Ends the daemon in order, with its supervisor; its tunnels stay written down. False: none runs.
 * DAEMON_BUSY when it is one in the foreground, or does not end.
 */
export async function endDaemon(paths: DaemonPaths, signal: AbortSignal): Promise<boolean> {
  const pid = await whomToAsk(paths, signal);
  if (pid === undefined) return false;
  try {
    process.kill(pid, 'SIGTERM');
  } catch (error) {
    if (systemCode(error) !== 'ESRCH') throw error;
  }
  const limit = AbortSignal.timeout(END_MS);
  while (isHeld(paths)) {
    if (limit.aborted) {
      throw new EpmuxError('DAEMON_BUSY', `the daemon (pid ${pid}) does not end`, {
        hint: '`epmux logs` shows what it does',
      });
    }
    await delay(POLL_MS, undefined, { signal });
  }
  return true;
}

/**
 * Ends the daemon in the background if it has no tunnel, such as after an `up` that failed; one
 * that holds the folder all the same, such as a service's, is told by whoever needs the folder.
 */
export async function endIdleDaemon(paths: DaemonPaths, signal: AbortSignal): Promise<void> {
  let client: ControlClient | undefined;
  try {
    client = await connectDaemon(paths, { signal });
    const { version, supervisor } = await client.call('hello', {}, { signal });
    // One in the foreground is about to have a tunnel; one of another version may take this for
    // another wish.
    if (supervisor === undefined || version !== VERSION) return;
    if ((await client.call('status', {}, { signal })).tunnels.length > 0) return;
    await client.call('down', { none: true }, { signal });
  } catch (error) {
    if (error instanceof EpmuxError) return;
    throw error;
  } finally {
    client?.close();
  }
  const limit = AbortSignal.timeout(IDLE_END_MS);
  while (!limit.aborted && isHeld(paths)) await delay(POLL_MS, undefined, { signal });
}

/** Of the daemon that runs; undefined: none does. */
export async function daemonVersion(
  paths: DaemonPaths,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const client = await connectDaemon(paths, { signal });
    return await client
      .call('hello', {}, { signal })
      .then(({ version }) => version)
      .finally(() => client.close());
  } catch (error) {
    if (EpmuxError.is(error, 'DAEMON_NOT_RUNNING')) return undefined;
    throw error;
  }
}

async function whomToAsk(paths: DaemonPaths, signal: AbortSignal): Promise<number | undefined> {
  const supervisor = livingHolder(paths.supervisorLockFile)?.pid;
  let client: ControlClient;
  try {
    client = await connectDaemon(paths, { signal });
  } catch (error) {
    if (EpmuxError.is(error, 'DAEMON_NOT_RUNNING')) return supervisor;
    throw error;
  }
  try {
    const { pid, supervisor: watcher } = await client.call('hello', {}, { signal });
    if (watcher !== undefined) return watcher ?? pid;
    throw new EpmuxError('DAEMON_BUSY', `a daemon runs in the foreground (pid ${pid})`, {
      hint: 'end it first',
    });
  } finally {
    client.close();
  }
}
