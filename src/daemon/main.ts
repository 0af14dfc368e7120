import { parseArgs } from 'node:util';
import { EpmuxError, Exit } from '../protocol/errors.ts';
import type { LogLevel } from '../runtime/logger.ts';
import type { TunnelSpec, UpSecrets } from './control/api.ts';
import { Daemon } from './daemon.ts';
import { DaemonLog } from './log.ts';
import { daemonPaths, ensureFolders } from './paths.ts';

const LEVELS: readonly LogLevel[] = ['error', 'warn', 'info', 'debug'];
type StopSignal = 'SIGTERM' | 'SIGINT';

function logLevel(text: string): LogLevel {
  const level = LEVELS.find((known) => known === text);
  if (level !== undefined) return level;
  throw new EpmuxError('USAGE', `--log-level takes ${LEVELS.join(', ')}`);
}

function parse(args: readonly string[]): LogLevel {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { 'log-level': { type: 'string', default: 'info' } },
    });
    return logLevel(values['log-level']);
  } catch (error) {
    if (error instanceof EpmuxError) throw error;
    throw new EpmuxError('USAGE', `epmux daemon: ${(error as Error).message}`);
  }
}

/** Takes signals for the daemon and lets go of them in the end. An error that nothing caught ends the wait with it. */
async function untilEnded(daemon: Daemon, log: DaemonLog): Promise<StopSignal | undefined> {
  let signalled: StopSignal | undefined;
  const onSignal = (signal: StopSignal) => {
    signalled ??= signal;
    void daemon.stop(`it was asked to by ${signal}`);
  };
  const onHangUp = () => log.info('the terminal it was started from is gone');
  let onCrash: (error: unknown) => void = () => undefined;
  const crashed = new Promise<never>((_, reject) => {
    onCrash = (error) => {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      log.error('the daemon fails', { error: text });
      reject(new EpmuxError('INTERNAL', `the daemon failed: ${text}`, { cause: error }));
    };
  });
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal).on('SIGHUP', onHangUp);
  process.on('uncaughtException', onCrash);
  try {
    await Promise.race([daemon.ended, crashed]);
    return signalled;
  } catch (error) {
    await log.close();
    throw error;
  } finally {
    process.off('SIGTERM', onSignal).off('SIGINT', onSignal).off('SIGHUP', onHangUp);
    process.off('uncaughtException', onCrash);
  }
}

/** `epmux daemon`: until its last tunnel is taken down or a signal ends it. Throws what it can't start with. */
export async function runDaemon(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const level = parse(args);
  process.umask(0o077);
  const paths = daemonPaths(env);
  ensureFolders(paths);
  const log = new DaemonLog({ level, file: paths.logFile });
  const daemon = await Daemon.start({ paths, env, log }).catch(async (error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    log.error('the daemon can not start', { reason });
    await log.close();
    throw error;
  });
  await untilEnded(daemon, log);
  return Exit.done;
}

/**
 * `epmux up --foreground`: a daemon with this one tunnel, which logs to stderr as well and writes no tunnel down. Fails as `up` does; ends with 0 on
 * SIGTERM and on `down`, with 130 on SIGINT.
 */
export async function runForeground(
  spec: TunnelSpec,
  secrets: UpSecrets,
  env: NodeJS.ProcessEnv,
  level: LogLevel = 'info',
): Promise<number> {
  process.umask(0o077);
  const paths = daemonPaths(env);
  ensureFolders(paths);
  const log = new DaemonLog({ level, file: paths.logFile, stream: process.stderr });
  const daemon = await Daemon.start({ paths, env, log, foreground: true });
  const ended = untilEnded(daemon, log);
  const gone = new AbortController();
  void daemon.ended.then(() => gone.abort());
  const progress = (step: string) => log.info(`${spec.name}: ${step}`);
  try {
    const { tunnel } = await daemon.tunnels.up(spec, secrets, { signal: gone.signal, progress });
    for (const { name } of tunnel.status().nodes) log.info('reachable', { node: name });
  } catch (error) {
    await daemon.stop('its tunnel did not come up');
    if ((await ended) === 'SIGINT') return Exit.interrupted;
    throw error;
  }
  return (await ended) === 'SIGINT' ? Exit.interrupted : Exit.done;
}
