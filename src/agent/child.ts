import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { isatty } from 'node:tty';
import { messageOf } from '../protocol/errors.ts';
import type { Environment } from '../runtime/environment.ts';
import type { Logger } from '../runtime/logger.ts';
import { systemCode } from '../runtime/system-error.ts';

/** What a shell answers when a command is not there, and when it is there and can't be run. */
const NOT_FOUND = 127;
const NOT_RUNNABLE = 126;
const SIGNALLED = 128;

const PASSED_ON = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;
/**
 * A terminal sends these to its whole foreground group, the child included: passing them on would
 * double a keystroke.
 */
const FROM_KEYBOARD: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT'];

export interface AppProcess {
  /** Undefined when it could not be started. */
  readonly pid: number | undefined;
  /**
   * The exit code a shell would give: the child's own, 128 + n after signal n, 127 or 126 when it
   * could not be started.
   */
  readonly exited: Promise<number>;
  /**
   * Takes the signal handlers away again; until then a late signal can't end this process before
   * the app's code is passed on.
   */
  release(): void;
}

/**
 * Runs the app with this process's stdin, stdout and stderr, and passes signals on until it ends.
 * The secret does not reach its environment. Never rejects.
 */
export function runApp(command: readonly string[], env: Environment, log: Logger): AppProcess {
  const { EPMUX_SECRET: _, ...appEnv } = env;
  let child: ChildProcess;
  try {
    child = spawn(command[0] ?? '', command.slice(1), { stdio: 'inherit', env: appEnv });
  } catch (error) {
    const exited = Promise.resolve(spawnFailure(command, error, log));
    return { pid: undefined, exited, release() {} };
  }
  const release = passSignalsOn(child);
  const exited = new Promise<number>((resolve) => {
    child.once('error', (error) => {
      // 'error' is also how a failed kill is told: only a child that never ran ends here.
      if (child.pid === undefined) resolve(spawnFailure(command, error, log));
      else log.warn('the app could not be signalled', { reason: error.message });
    });
    child.once('exit', (code, signal) => resolve(exitCode(code, signal)));
  });
  return { pid: child.pid, exited, release };
}

function passSignalsOn(child: ChildProcess): () => void {
  const listeners = new Map<NodeJS.Signals, () => void>();
  const onTerminal = isatty(0);
  for (const signal of onTerminal ? [...PASSED_ON, 'SIGWINCH' as const] : PASSED_ON) {
    const pass = (): void => {
      if (FROM_KEYBOARD.includes(signal) && inForeground()) return;
      child.kill(signal);
    };
    listeners.set(signal, pass);
    process.on(signal, pass);
  }
  return () => {
    for (const [signal, pass] of listeners) process.off(signal, pass);
  };
}

/**
 * True when this process's group is the one its terminal sends keyboard signals to, wherever its
 * stdin comes from. Where /proc can't tell, it is assumed of a process whose stdin is a terminal.
 */
function inForeground(): boolean {
  let stat: string;
  try {
    stat = readFileSync('/proc/self/stat', 'utf8');
  } catch {
    return isatty(0);
  }
  // Behind the command name, which may hold spaces: state, parent, group, session, terminal,
  // foreground group.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[2] === fields[5];
}

function exitCode(code: number | null, signal: NodeJS.Signals | null): number {
  if (signal === null) return code ?? 0;
  return SIGNALLED + (constants.signals[signal] ?? 0);
}

function spawnFailure(command: readonly string[], error: unknown, log: Logger): number {
  const code = systemCode(error);
  log.error('the command could not be started', {
    command: command[0] ?? '',
    reason: code ?? messageOf(error),
  });
  return code === 'ENOENT' || code === 'ENOTDIR' ? NOT_FOUND : NOT_RUNNABLE;
}
