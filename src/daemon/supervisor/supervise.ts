import { parseArgs } from 'node:util';
import { EpmuxError } from '../../protocol/errors.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import { hasReported, reportCrash } from '../crashes.ts';
import { daemonLimits } from '../limits.ts';
import { acquireLock, type Lock, livingHolder } from '../lock.ts';
import { secretsIn } from '../memory.ts';
import { type DaemonPaths, daemonPaths, ensureFolders } from '../paths.ts';
import { Redactor } from '../redact.ts';
import type { HeldWorker } from './held-worker.ts';
import { supervisorLog } from './log.ts';
import { ServiceNotice } from './notice.ts';
import { WorkerProcesses } from './processes.ts';
import { type Death, Supervisor } from './supervisor.ts';

/** The worker's own options are passed on as they are. */
function workerOptions(args: readonly string[]): string[] {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        'log-level': { type: 'string' },
        stay: { type: 'boolean', default: false },
      },
    });
    const level = values['log-level'];
    return [
      ...(level === undefined ? [] : ['--log-level', level]),
      ...(values.stay ? ['--stay'] : []),
    ];
  } catch (error) {
    throw new EpmuxError('USAGE', `epmux supervisor: ${(error as Error).message}`);
  }
}

interface SupervisorParts {
  readonly paths: DaemonPaths;
  readonly env: NodeJS.ProcessEnv;
  /** A worker's. */
  readonly args: readonly string[];
  readonly hangMs: number;
  readonly first: HeldWorker | undefined;
  /** The supervisor's own. */
  readonly lock: Lock;
  readonly redactor: Redactor;
  readonly logger: Logger;
}

function createSupervisor(parts: SupervisorParts): Supervisor {
  const { paths, env, args, hangMs, first, lock, redactor, logger } = parts;
  const clock = systemClock;
  const notice = new ServiceNotice({ env, clock, logger });
  return new Supervisor({
    clock,
    logger,
    hangMs,
    workers: new WorkerProcesses({ paths, clock, hangMs, args, first }),
    onAlive: () => {
      lock.keep();
      notice.onAlive();
    },
    onMemory: (memory) => {
      for (const secret of secretsIn(memory)) redactor.add(secret);
    },
    onDeath: (death: Death) => {
      const { pid, startedAt, at } = death;
      // An error that nothing caught the worker has reported itself, with its stack.
      const since = startedAt ?? at - hangMs;
      if (hasReported(paths.crashesDir, pid, since)) return;
      const report = reportCrash(paths, death, redactor);
      logger.info('a report of the crash is written', { report });
    },
  });
}

/** As `runSupervisor`, with the worker that is held, if one is. */
export async function supervise(
  ownArgs: readonly string[],
  env: NodeJS.ProcessEnv,
  first: HeldWorker | undefined,
): Promise<number> {
  const args = workerOptions(ownArgs);
  const { hangMs } = daemonLimits(env);
  process.umask(0o077);
  const paths = daemonPaths(env);
  ensureFolders(paths);
  const lock = await acquireLock(paths, 'supervisor');
  const redactor = new Redactor();
  const logger = supervisorLog(paths.logFile, redactor);
  const daemon = livingHolder(paths.lockFile);
  if (daemon?.foreground === true) {
    logger.info('a daemon in the foreground is nobody’s to supervise', { pid: daemon.pid });
    first?.drop();
    lock.release();
    return 0;
  }
  const supervisor = createSupervisor({ paths, env, args, hangMs, first, lock, redactor, logger });
  const onSignal = () => supervisor.stop();
  process
    .on('SIGTERM', onSignal)
    .on('SIGINT', onSignal)
    .on('SIGHUP', () => undefined);
  try {
    return await supervisor.run();
  } finally {
    lock.release();
  }
}
