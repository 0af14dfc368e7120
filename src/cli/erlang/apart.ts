import { execFile } from 'node:child_process';
import { join } from 'node:path';

/** A program, and the folder to start it in. */
export interface Start {
  readonly program: string;
  readonly folder: string;
}

/** Nobody else can put a module there. */
const APART = '/';
/** Until it is told where an installation is; no Erlang is started for that. */
const LIMIT_MS = 3_000;
const MAX_OUTPUT_BYTES = 262_144;
/** By it our scripts know the folder that they are to work in. */
const FOLDER_VARIABLE = 'EPMUX_FOLDER';

/**
 * The first flags of such an `erl`. From then on it is in the working folder, and looks for no
 * modules there.
 */
export const ENTER_FOLDER: readonly string[] = [
  '-eval',
  `code:del_path("."), file:set_cwd(os:getenv("${FOLDER_VARIABLE}")), os:unsetenv("${FOLDER_VARIABLE}").`,
];

export function folderVariable(folder: string): Readonly<Record<string, string>> {
  return { [FOLDER_VARIABLE]: folder };
}

/**
 * Where to start an `erl` that is to work in `folder`. While it starts it takes modules from the
 * folder that it is in before its own, kernel's too: so that is none but its own where it can be. A
 * shim may choose another Erlang there (asdf, by `.tool-versions`); then it is that one, or else
 * `folder` it is.
 */
export async function startApart(
  erl: string,
  folder: string,
  env: Readonly<Record<string, string>>,
): Promise<Start> {
  const [meant, apart] = await Promise.all([
    installation(erl, folder, env),
    installation(erl, APART, env),
  ]);
  if (meant === undefined) return { program: erl, folder };
  if (apart?.bin === meant.bin) return { program: erl, folder: APART };
  const own = join(meant.root, 'bin', 'erl');
  const found = await installation(own, APART, env);
  return found?.bin === meant.bin ? { program: own, folder: APART } : { program: erl, folder };
}

interface Installation {
  readonly root: string;
  /** With the emulator's version. */
  readonly bin: string;
}

/** By the arguments that the emulator would be given. */
function installation(
  program: string,
  folder: string,
  env: Readonly<Record<string, string>>,
): Promise<Installation | undefined> {
  const options = { cwd: folder, env, timeout: LIMIT_MS, maxBuffer: MAX_OUTPUT_BYTES } as const;
  return new Promise((resolve) => {
    const child = execFile(program, ['-emu_args_exit'], options, (error, stdout) => {
      const lines = stdout.split('\n');
      const [root, bin] = ['-root', '-bindir'].map((flag) => lines[lines.indexOf(flag) + 1]);
      const isTold = error === null && lines.includes('-root') && lines.includes('-bindir');
      resolve(isTold && root && bin ? { root, bin } : undefined);
    });
    child.stdin?.on('error', () => undefined).end();
  });
}
