import { readFileSync } from 'node:fs';
import type { Environment } from '../runtime/environment.ts';
import type { Logger } from '../runtime/logger.ts';
import { isExecutable } from '../runtime/programs.ts';
import { parseEnviron } from './environ.ts';

const SHELL = '/bin/sh';

/**
 * Process 1 has to collect every orphan of its container, and Node waits for its own children only:
 * a shell does both. It runs "$@", passes signals on and exits with its code. A background command
 * would get /dev/null as stdin, hence the spare descriptor. `wait` also returns when a signal is
 * trapped: the code counts only once the child is gone.
 */
const REAPER = `
exec 3<&0
"$@" <&3 3<&- &
app=$!
exec 3<&-
for s in TERM INT HUP QUIT USR1 USR2 WINCH; do trap "kill -$s $app 2>/dev/null" $s; done
wait $app; code=$?
while kill -0 $app 2>/dev/null; do wait $app; code=$?; done
wait $app 2>/dev/null; last=$?
[ $last -eq 127 ] || code=$last
exit $code
`;

/** Tells an agent that the reaper started it. */
const BELOW_REAPER = 'EPMUX_BELOW_REAPER';

type Execve = (file: string, args: readonly string[], env: NodeJS.ProcessEnv) => never;

/**
 * When this is process 1: replaces it by a reaping shell that runs the same command line again as
 * its child, and never returns. Where that can't be done, warns and returns: the app runs all the
 * same. `inherited`: a descriptor is needed beside the first three, which alone Node hands on.
 */
export function leaveProcessOne(log: Logger, { inherited }: { readonly inherited: boolean }): void {
  if (process.pid !== 1) return;
  // Newer than the oldest Node supported, so its types do not know it.
  const execve = (process as { readonly execve?: Execve }).execve;
  if (inherited) {
    log.warn(
      'this is process 1 and cannot reap orphans without losing the socket of --listen-fd: start the container with `docker run --init` or under tini',
    );
    return;
  }
  if (execve === undefined || !isExecutable(SHELL)) {
    log.warn(
      'this is process 1 and cannot reap orphans: start the container with `docker run --init` or under tini, or use Node 22.15 or newer with /bin/sh',
      { node: process.versions.node },
    );
    return;
  }
  const self = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const env = { ...process.env, [BELOW_REAPER]: '1' };
  execve.call(process, SHELL, ['sh', '-c', REAPER, 'epmux-init', ...self], env);
}

/**
 * The environment that process 1 was given; `env` is this process's own. A shell hands on no
 * variable whose name is none to it, such as `spring.profile`, and adds some; what it was given
 * itself still stands in /proc.
 */
export function givenEnvironment(env: Environment): Environment {
  if (env[BELOW_REAPER] === undefined) return env;
  const given = (process.ppid === 1 ? environmentOf(1) : undefined) ?? env;
  return Object.fromEntries(Object.entries(given).filter(([name]) => name !== BELOW_REAPER));
}

/** Undefined where /proc does not tell. */
function environmentOf(pid: number): Environment | undefined {
  try {
    return Object.fromEntries(parseEnviron(readFileSync(`/proc/${pid}/environ`, 'utf8')));
  } catch {
    return undefined;
  }
}
