import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { EpmuxError } from '../../protocol/errors.ts';
import type { Environment } from '../../runtime/environment.ts';
import { ENTER_FOLDER } from './apart.ts';
import { Failure } from './failure.ts';
import { guestName } from './guest.ts';
import { requireProgram } from './programs.ts';

export interface ShellWish {
  /** IEx where the node has one, or Erlang's shell whatever it has. */
  readonly shell: 'iex' | 'erl';
  /** `edit`: lines are edited, in a terminal. `plain`: input is read as it comes. */
  readonly input: 'edit' | 'plain';
  /** What stands behind `--`. */
  readonly args: readonly string[];
  /** Where the person is. */
  readonly folder: string;
}

export interface ShellCommand {
  readonly program: string;
  readonly args: readonly string[];
  /** What it needs beside the guest's environment. */
  readonly env: Readonly<Record<string, string>>;
}

const MODULE = new URL('./epmux_remsh.erl', import.meta.url);
const SOURCE_VARIABLE = 'EPMUX_REMSH_SOURCE';

/**
 * The source comes by the environment: an erl in a container or behind chroot may not see our
 * files.
 */
const SCRIPT = `
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
  {ok, Module, Code} -> code:load_binary(Module, "", Code), Module:main();
  _ -> halt(${Failure.noCompiler})
end.
`;

/**
 * A shell in the node needs nothing here but an `erl`, of whatever release. What comes from outside
 * are arguments of the script, never a part of it. No cookie: a local node's own `~/.erlang.cookie`
 * is enough.
 */
export function shellCommand(node: string, wish: ShellWish, env: Environment): ShellCommand {
  const [flag, name] = guestName(node);
  const { dotIex, flags } = splitArguments(wish.args);
  // Without a terminal the shell reads what `user` reads; in one, two would read.
  const reading = wish.input === 'plain' ? '-noshell' : '-noinput';
  const script = SCRIPT.trim().replace(/\s+/g, ' ');
  return {
    program: requireProgram('erl', env),
    args: [
      ...[flag.slice(1), name, '-hidden', reading, ...ENTER_FOLDER],
      ...[...withAbsolutePaths(flags, wish.folder), '-eval', script],
      ...['-extra', node, wish.shell, wish.input, ...dotIex],
    ],
    env: { [SOURCE_VARIABLE]: readFileSync(MODULE, 'utf8') },
  };
}

/** Flags whose files and folders an `erl` takes before it enters the person's folder. */
const PATH_FLAGS: ReadonlySet<string> = new Set([
  ...['-args_file', '-config', '-pa', '-pz', '-ssl_dist_optfile'],
]);

function withAbsolutePaths(flags: readonly string[], folder: string): readonly string[] {
  let flag = '';
  return flags.map((word) => {
    if (/^[-+]/.test(word)) flag = word;
    else if (PATH_FLAGS.has(flag)) return resolve(folder, word);
    return word;
  });
}

/** A terminal that can move its cursor, as far as `TERM` says. */
export function inputFor(onTerminal: boolean, env: Environment): ShellWish['input'] {
  const type = env['TERM'] ?? '';
  return onTerminal && type !== '' && type !== 'dumb' ? 'edit' : 'plain';
}

/** `--dot-iex FILE` is IEx's, everything else are flags of `erl`. */
function splitArguments(args: readonly string[]): {
  readonly dotIex: readonly string[];
  readonly flags: readonly string[];
} {
  const at = args.indexOf('--dot-iex');
  if (at < 0) return { dotIex: [], flags: args };
  const dotIex = args.slice(at + 1, at + 2);
  if (dotIex.length === 0) throw new EpmuxError('USAGE', '--dot-iex needs a file');
  return { dotIex, flags: [...args.slice(0, at), ...args.slice(at + 2)] };
}
