import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** The Erlang of this machine. */
export interface Erlang {
  /** Such as `25`. */
  readonly release: string;
  readonly erl: string;
  readonly epmd: string;
}

const FIND_MS = 10_000;
const FIND = `io:format("found ~s|~s|~s~n",
  [erlang:system_info(otp_release), code:root_dir(), os:find_executable("epmd")]), halt().`;
/** They would change the nodes that the demo starts. */
const ERLANG_VARIABLES = /^(ERL_|ELIXIR_|RELEASE_)/;

/** Without what the user has set for Erlang nodes of their own. */
export function plainEnvironment(): Record<string, string | undefined> {
  const kept = Object.entries(process.env).filter(([name]) => !ERLANG_VARIABLES.test(name));
  return Object.fromEntries(kept);
}

/** Undefined where there is none on the PATH, or it does not run. */
export async function findErlang(): Promise<Erlang | undefined> {
  try {
    // With the user's own home: version managers look there for which Erlang `erl` is.
    const { stdout } = await promisify(execFile)(
      'erl',
      ['-boot', 'no_dot_erlang', '-noinput', '-eval', FIND],
      { env: plainEnvironment(), timeout: FIND_MS },
    );
    const [, release, root, epmd] = /^found (.+)\|(.+)\|(.+)$/m.exec(stdout) ?? [];
    if (release === undefined || root === undefined || epmd === undefined) return undefined;
    return { release, erl: join(root, 'bin', 'erl'), epmd };
  } catch {
    return undefined;
  }
}
