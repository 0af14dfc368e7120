import type { ControlClient } from '../daemon/control/client.ts';
import { daemonPaths } from '../daemon/paths.ts';
import { ensureDaemon, findDaemon } from '../daemon/spawn.ts';
import type { LogLevel } from '../runtime/logger.ts';
import type { Io } from './io.ts';

type DaemonIo = Pick<Io, 'env' | 'interrupted' | 'earlyDaemon'>;

/**
 * Asks the daemon that runs, over a connection of its own. Fails with DAEMON_NOT_RUNNING when there
 * is none.
 */
export async function withDaemon<T>(
  io: DaemonIo,
  ask: (daemon: ControlClient) => Promise<T>,
): Promise<T> {
  const daemon = await findDaemon(daemonPaths(io.env), { signal: io.interrupted });
  return closing(daemon, ask);
}

/**
 * The same, and starts the daemon when there is none; `level` is for the log of one that is
 * started.
 */
export async function withStartedDaemon<T>(
  io: DaemonIo,
  level: LogLevel | undefined,
  ask: (daemon: ControlClient) => Promise<T>,
): Promise<T> {
  const daemon = await ensureDaemon(daemonPaths(io.env), {
    signal: io.interrupted,
    started: io.earlyDaemon?.take(),
    args: level === undefined ? [] : ['--log-level', level],
  });
  return closing(daemon, ask);
}

async function closing<T>(
  daemon: ControlClient,
  ask: (daemon: ControlClient) => Promise<T>,
): Promise<T> {
  try {
    return await ask(daemon);
  } finally {
    daemon.close();
  }
}
