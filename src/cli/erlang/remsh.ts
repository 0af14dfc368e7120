import { fileURLToPath } from 'node:url';
import type { Environment } from '../io.ts';
import { Failure } from './failure.ts';
import { guestName } from './guest.ts';
import { findProgram, requireProgram } from './programs.ts';

export interface ShellCommand {
  readonly program: string;
  readonly args: readonly string[];
}

const MODULE = fileURLToPath(new URL('./epmux_remsh.erl', import.meta.url));

const SCRIPT = `
[Name, File | _] = init:get_plain_arguments(),
case catch compile:file(File, [binary]) of
  {ok, Module, Code} -> code:load_binary(Module, File, Code), Module:main(Name);
  _ -> halt(${Failure.noCompiler})
end.
`;

/**
 * The node's own IEx (Erlang's shell where it has none), which needs nothing here but an `erl`, of whatever release. The node's name is an
 * argument of the script, never a part of it. No cookie: a local node's own `~/.erlang.cookie` is enough.
 */
export function shellCommand(node: string, env: Environment): ShellCommand {
  const [flag, name] = guestName(node);
  const script = SCRIPT.trim().replaceAll('\n', ' ');
  const args = [
    flag.slice(1),
    name,
    '-hidden',
    '-noinput',
    '-eval',
    script,
    '-extra',
    node,
    MODULE,
  ];
  return { program: requireProgram('erl', env), args };
}

/** `erl -remsh`. */
export function erlCommand(node: string, extra: readonly string[], env: Environment): ShellCommand {
  const [flag, name] = guestName(node);
  const args = [flag.slice(1), name, '-hidden', '-remsh', node, ...extra];
  return { program: requireProgram('erl', env), args };
}

/** `iex --remsh`, for who has options for it; undefined where there is no iex. It wants much the same Elixir at both ends. */
export function iexCommand(
  node: string,
  extra: readonly string[],
  env: Environment,
): ShellCommand | undefined {
  const program = findProgram('iex', env);
  const [flag, name] = guestName(node);
  return program === undefined
    ? undefined
    : { program, args: [flag, name, '--remsh', node, ...extra] };
}
