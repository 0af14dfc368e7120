import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { EpmuxError } from '../../protocol/errors.ts';
import type { Io } from '../io.ts';
import { folderVariable, startApart } from './apart.ts';

const HANDED_ON = ['SIGTERM', 'SIGHUP'] as const;

/**
 * Runs an `erl` in this terminal, whose flags begin with `ENTER_FOLDER`, and gives its exit code,
 * 128+n when a signal ended it. Ctrl-C is the program's alone: the terminal sends it to both.
 */
export async function runInTerminal(
  erl: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  io: Io,
): Promise<number> {
  const { cwd } = io;
  const { program, folder } = await startApart(erl, cwd, env);
  const release = io.holdInterrupts();
  const child = spawn(program, args, {
    stdio: 'inherit',
    env: { ...env, ...folderVariable(cwd) },
    cwd: folder,
  });
  const handOn = (signal: NodeJS.Signals): void => void child.kill(signal);
  for (const signal of HANDED_ON) process.on(signal, handOn);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', (cause) => {
        reject(
          new EpmuxError('ERLANG_MISSING', `can't run ${program}: ${cause.message}`, { cause }),
        );
      });
      child.once('exit', (code, signal) => {
        resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
      });
    });
  } finally {
    for (const signal of HANDED_ON) process.off(signal, handOn);
    release();
  }
}
