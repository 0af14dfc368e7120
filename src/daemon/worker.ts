import { parseArgs } from 'node:util';
import { EpmuxError, Exit, messageOf, stackOf } from '../protocol/errors.ts';
import { systemClock } from '../runtime/clock.ts';
import { LOG_LEVELS, type LogLevel } from '../runtime/logger.ts';
import { keepHeapSmall } from '../runtime/small-heap.ts';
import type { TunnelSpec, UpSecrets } from './control/api.ts';
import { reportCrash } from './crashes.ts';
import { createDynos } from './create-dynos.ts';
import { Daemon } from './daemon.ts';
import { daemonLimits } from './limits.ts';
import { ownAgent } from './links/agent-bundle.ts';
import { DaemonLog, logFileOptions } from './log.ts';
import { MAX_MEMORY_BYTES, readMemory } from './memory.ts';
import { type DaemonPaths, daemonPaths, ensureFolders } from './paths.ts';

/** What the supervisor hands over is there when the process starts. */
const STDIN_MS = 5_000;
/** Its supervisor loads meanwhile; when that dies, stdin ends. */
const HELD_MS = 30_000;
type StopSignal = 'SIGTERM' | 'SIGINT' | 'SIGHUP';
/** What a daemon in the foreground ends with; those who start it as a service send SIGTERM. */
const FOREGROUND_EXIT = { SIGTERM: Exit.done, SIGINT: Exit.interrupted, SIGHUP: 129 } as const;

function logLevel(text: string): LogLevel {
  const level = LOG_LEVELS.find((known) => known === text);
  if (level !== undefined) return level;
  throw new EpmuxError('USAGE', `--log-level takes ${LOG_LEVELS.join(', ')}`);
}

interface WorkerOptions {
  readonly level: LogLevel;
  /** Does not end without tunnels. */
  readonly stay: boolean;
  /** What only the worker before held is to be read from stdin. */
  readonly memory: boolean;
  /** Nothing is touched before that has come; without it the supervisor needs no worker. */
  readonly held: boolean;
  readonly restarts: number;
}

function parse(args: readonly string[]): WorkerOptions {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        'log-level': { type: 'string', default: 'info' },
        stay: { type: 'boolean', default: false },
        memory: { type: 'boolean', default: false },
        held: { type: 'boolean', default: false },
        restarts: { type: 'string', default: '0' },
      },
    });
    const { stay, memory, held } = values;
    const restarts = Math.trunc(Number(values.restarts)) || 0;
    return { level: logLevel(values['log-level']), stay, memory, held, restarts };
  } catch (error) {
    if (error instanceof EpmuxError) throw error;
    throw new EpmuxError('USAGE', `epmux daemon: ${(error as Error).message}`);
  }
}

/** Up to its end; empty when that does not come: the supervisor was killed meanwhile. */
async function readStdin(limitMs: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const limit = setTimeout(() => process.stdin.destroy(), limitMs);
  try {
    for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MAX_MEMORY_BYTES) return '';
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  } catch {
    return '';
  } finally {
    clearTimeout(limit);
  }
}

interface Running {
  readonly paths: DaemonPaths;
  /** It ends with the terminal that it was started from. */
  readonly foreground: boolean;
  readonly log: DaemonLog;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
}

/**
 * The error that nothing caught, as a report and as what the process ends with: neither holds a
 * secret.
 */
function crash(error: unknown, { paths, log, startedAt }: Running): EpmuxError {
  const stack = log.redactor.text(stackOf(error));
  const reason = stack.split('\n', 1)[0] ?? '';
  const at = Date.now();
  reportCrash(paths, { pid: process.pid, reason, startedAt, at, stack }, log.redactor);
  return new EpmuxError('INTERNAL', `the daemon failed: ${stack}`);
}

/**
 * Takes signals for the daemon and lets go of them in the end. An error that nothing caught ends
 * the wait with it.
 */
async function untilEnded(daemon: Daemon, running: Running): Promise<StopSignal | undefined> {
  // Not before: while it starts it allocates, and what it allocates stays.
  keepHeapSmall();
  const { log } = running;
  // Before an update can put another in its place, or take it away.
  ownAgent.read().catch((error: unknown) => {
    log.debug('there is no agent to push', { error: stackOf(error) });
  });
  let signalled: StopSignal | undefined;
  const onSignal = (signal: StopSignal) => {
    signalled ??= signal;
    void daemon.stop(`it was asked to by ${signal}`);
  };
  const onHangUp = running.foreground
    ? onSignal
    : () => log.info('the terminal it was started from is gone');
  let onCrash: (error: unknown) => void = () => undefined;
  const crashed = new Promise<never>((_, reject) => {
    onCrash = (error) => {
      log.error('the daemon fails', { error: stackOf(error) });
      reject(error);
    };
  });
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal).on('SIGHUP', onHangUp);
  process.on('uncaughtException', onCrash);
  try {
    await Promise.race([daemon.ended, crashed]);
    return signalled;
  } catch (error) {
    await log.close();
    throw crash(error, running);
  } finally {
    process.off('SIGTERM', onSignal).off('SIGINT', onSignal).off('SIGHUP', onHangUp);
    process.off('uncaughtException', onCrash);
  }
}

/** As `runDaemon`. */
export async function runWorker(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const { level, stay, restarts, memory: isGivenMemory, held } = parse(args);
  const given = isGivenMemory ? await readStdin(held ? HELD_MS : STDIN_MS) : '';
  if (held && given === '') return Exit.failed;
  const memory = readMemory(given);
  const startedAt = Date.now();
  process.umask(0o077);
  const paths = daemonPaths(env);
  ensureFolders(paths);
  const limits = daemonLimits(env);
  const log = new DaemonLog({ level, file: paths.logFile, fileOptions: logFileOptions(limits) });
  const clock = systemClock;
  const options = { paths, env, log, limits, stay, restarts, memory, clock, createDynos };
  const daemon = await Daemon.start(options).catch(async (error: unknown) => {
    const reason = messageOf(error);
    log.error('the daemon can not start', { reason });
    await log.close();
    throw error;
  });
  await untilEnded(daemon, { paths, foreground: false, log, startedAt });
  return Exit.done;
}

/** As `runForeground` of main.ts. */
export async function runForeground(
  spec: TunnelSpec,
  secrets: UpSecrets,
  env: NodeJS.ProcessEnv,
  level: LogLevel = 'info',
): Promise<number> {
  process.umask(0o077);
  const paths = daemonPaths(env);
  ensureFolders(paths);
  const limits = daemonLimits(env);
  const fileOptions = logFileOptions(limits);
  const log = new DaemonLog({ level, file: paths.logFile, fileOptions, stream: process.stderr });
  const clock = systemClock;
  const options = { paths, env, log, limits, foreground: true, clock, createDynos };
  const daemon = await Daemon.start(options);
  const ended = untilEnded(daemon, { paths, foreground: true, log, startedAt: Date.now() });
  const gone = new AbortController();
  void daemon.ended.then(() => gone.abort());
  const progress = (step: string) => log.info(`${spec.name}: ${step}`);
  try {
    const { tunnel } = await daemon.tunnels.up(spec, secrets, { signal: gone.signal, progress });
    for (const { name } of tunnel.status().nodes) log.info('reachable', { node: name });
  } catch (error) {
    await daemon.stop('its tunnel did not come up');
    const signal = await ended;
    if (signal === undefined || signal === 'SIGTERM') throw error;
    return FOREGROUND_EXIT[signal];
  }
  return FOREGROUND_EXIT[(await ended) ?? 'SIGTERM'];
}
