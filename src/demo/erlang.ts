import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { EpmuxError } from '../protocol/errors.ts';

/** The Erlang of this machine. */
export interface Erlang {
  /** Such as `25`. */
  readonly release: string;
  readonly erl: string;
  readonly epmd: string;
  /** Undefined where there is none. */
  readonly elixir: Elixir | undefined;
}

export interface Elixir {
  /** Such as `1.14.0`. */
  readonly version: string;
  /** The folders with its code, IEx's included. */
  readonly codePaths: readonly string[];
}

const FIND_MS = 20_000;
const FIND_ERLANG = `io:format("found ~s|~s|~s~n",
  [erlang:system_info(otp_release), code:root_dir(), os:find_executable("epmd")]), halt().`;
const FIND_ELIXIR = 'IO.puts("found #{System.version()}|#{:code.lib_dir(:elixir)}")';
/** They would change the nodes, agents and calls of the demo. */
const USERS_OWN =
  /^(ERL_|ERLANG_|ELIXIR_|RELEASE_|HEROKU_|EPMUX_|NODE_COOKIE$|NODE_USE_ENV_PROXY$)/;

/** Without what the user has set for nodes, tunnels and Heroku apps of their own. */
export function plainEnvironment(): Record<string, string | undefined> {
  const kept = Object.entries(process.env).filter(([name]) => !USERS_OWN.test(name));
  return Object.fromEntries(kept);
}

/** Undefined where there is none on the PATH, or it does not run. Fails with INTERRUPTED. */
export async function findErlang(interrupted: AbortSignal): Promise<Erlang | undefined> {
  // A Ctrl-C of the terminal reaches them too: with +Bi they do not stay in Erlang's menu for it.
  const [erlang, elixir] = await Promise.all([
    ask(interrupted, 'erl', '+Bi', '-boot', 'no_dot_erlang', '-noinput', '-eval', FIND_ERLANG),
    ask(interrupted, 'elixir', '--erl', '+Bi', '-e', FIND_ELIXIR),
  ]);
  const [release, root, epmd] = erlang;
  if (release === undefined || root === undefined || epmd === undefined) return undefined;
  return { release, erl: join(root, 'bin', 'erl'), epmd, elixir: elixirOf(elixir) };
}

function elixirOf([version, folder]: readonly string[]): Elixir | undefined {
  if (version === undefined || folder === undefined) return undefined;
  const codePaths = ['elixir', 'logger', 'iex'].map((app) => join(folder, '..', app, 'ebin'));
  return { version, codePaths };
}

/** The fields behind `found`; none where the program is not there or fails. */
async function ask(
  interrupted: AbortSignal,
  program: string,
  ...args: string[]
): Promise<readonly string[]> {
  // With the user's own home: version managers look there for which Erlang is meant.
  const limits = { timeout: FIND_MS, killSignal: 'SIGKILL', signal: interrupted } as const;
  const asked = promisify(execFile)(program, args, { env: plainEnvironment(), ...limits });
  try {
    const { stdout } = await asked;
    return /^found (.+)$/m.exec(stdout)?.[1]?.split('|') ?? [];
  } catch {
    if (!interrupted.aborted) return [];
    // By itself it gets a SIGTERM, which does not end every Erlang.
    asked.child.kill('SIGKILL');
    throw new EpmuxError('INTERRUPTED', 'interrupted');
  }
}
