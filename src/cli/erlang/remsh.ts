import type { Environment } from '../io.ts';
import { guestName } from './guest.ts';
import { findProgram, requireProgram } from './programs.ts';

export interface ShellCommand {
  readonly program: string;
  readonly args: readonly string[];
}

/** `iex --remsh` where there is an iex, else `erl -remsh`. No cookie: a node's own `~/.erlang.cookie` is enough. */
export function remshCommand(
  node: string,
  extra: readonly string[],
  preferErl: boolean,
  env: Environment,
): ShellCommand {
  const [flag, name] = guestName(node);
  const iex = preferErl ? undefined : findProgram('iex', env);
  if (iex !== undefined) return { program: iex, args: [flag, name, '--remsh', node, ...extra] };
  return {
    program: requireProgram('erl', env),
    args: [flag.slice(1), name, '-hidden', '-remsh', node, ...extra],
  };
}
