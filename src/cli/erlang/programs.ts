import { delimiter, resolve } from 'node:path';
import { EpmuxError } from '../../protocol/errors.ts';
import type { Environment } from '../../runtime/environment.ts';
import { isExecutable } from '../../runtime/programs.ts';

/** The full path of a program on the PATH, or undefined. */
export function findProgram(name: string, env: Environment): string | undefined {
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    if (folder === '') continue;
    const path = resolve(folder, name);
    if (isExecutable(path)) return path;
  }
  return undefined;
}

/** Throws ERLANG_MISSING that names what was looked for. */
export function requireProgram(name: string, env: Environment): string {
  const path = findProgram(name, env);
  if (path !== undefined) return path;
  throw new EpmuxError('ERLANG_MISSING', `${name} is not on the PATH`);
}
