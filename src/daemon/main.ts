import type { LogLevel } from '../runtime/logger.ts';
import type { TunnelSpec, UpSecrets } from './control/api.ts';

/**
 * `epmux daemon`: until its last tunnel is taken down or a signal ends it. Throws what it can't
 * start with.
 */
export async function runDaemon(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return (await import('./worker.ts')).runWorker(args, env);
}

/**
 * `epmux up --foreground`: a daemon with this one tunnel, which logs to stderr as well and writes
 * no tunnel down. Fails as `up` does; ends with 0 on SIGTERM and on `down`, with 130 on SIGINT and
 * 129 on SIGHUP.
 */
export async function runForeground(
  spec: TunnelSpec,
  secrets: UpSecrets,
  env: NodeJS.ProcessEnv,
  level?: LogLevel,
): Promise<number> {
  return (await import('./worker.ts')).runForeground(spec, secrets, env, level);
}
