import { readFileSync } from 'node:fs';
import type { Environment } from '../io.ts';
import { Failure } from './failure.ts';
import { guestName } from './guest.ts';
import { findProgram, requireProgram } from './programs.ts';

export interface ShellCommand {
  readonly program: string;
  readonly args: readonly string[];
  /** What it needs beside the guest's environment. */
  readonly env?: Readonly<Record<string, string>>;
}

const MODULE = new URL('./epmux_remsh.erl', import.meta.url);
const SOURCE_VARIABLE = 'EPMUX_REMSH_SOURCE';

/** The source comes by the environment: an erl in a container or behind chroot may not see our files. */
const SCRIPT = `
[Name | _] = init:get_plain_arguments(),
{ok, Tokens, _} = erl_scan:string(os:getenv("${SOURCE_VARIABLE}")),
os:unsetenv("${SOURCE_VARIABLE}"),
Forms = (fun
  Split([], []) -> [];
  Split([{dot, _} = Dot | Rest], Form) ->
    {ok, Parsed} = erl_parse:parse_form(lists:reverse(Form, [Dot])),
    [Parsed | Split(Rest, [])];
  Split([Token | Rest], Form) -> Split(Rest, [Token | Form])
end)(Tokens, []),
case catch compile:forms(Forms, [binary]) of
  {ok, Module, Code} -> code:load_binary(Module, "", Code), Module:main(Name);
  _ -> halt(${Failure.noCompiler})
end.
`;

/**
 * The node's own IEx (Erlang's shell where it has none), which needs nothing here but an `erl`, of whatever release. The node's name is an
 * argument of the script, never a part of it. No cookie: a local node's own `~/.erlang.cookie` is enough.
 */
export function shellCommand(node: string, env: Environment): ShellCommand {
  const [flag, name] = guestName(node);
  const script = SCRIPT.trim().replace(/\s+/g, ' ');
  return {
    program: requireProgram('erl', env),
    args: [flag.slice(1), name, '-hidden', '-noinput', '-eval', script, '-extra', node],
    env: { [SOURCE_VARIABLE]: readFileSync(MODULE, 'utf8') },
  };
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
