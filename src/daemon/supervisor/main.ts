import { existsSync } from 'node:fs';
import { daemonPaths } from '../paths.ts';
import { HeldWorker } from './held-worker.ts';

/**
 * `epmux supervisor`: until the worker ends in order or can't start, or a signal ends both. Gives
 * the exit code. Throws DAEMON_BUSY when another one holds the state folder, CONFIG_INVALID,
 * PERMISSION_DENIED. Where no worker can be there, one begins to load before this process itself
 * does.
 */
export async function runSupervisor(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<number> {
  const first = existsSync(daemonPaths(env).lockFile) ? undefined : new HeldWorker(args);
  try {
    const { supervise } = await import('./supervise.ts');
    return await supervise(args, env, first);
  } finally {
    first?.drop();
  }
}
