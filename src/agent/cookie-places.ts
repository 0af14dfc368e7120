import { join } from 'node:path';
import {
  COOKIE_VARIABLES,
  cookieOfFile,
  cookiesOfText,
  isCookie,
  MAX_COOKIE_BYTES,
} from '../erlang/cookie.ts';
import type { Environment } from '../runtime/environment.ts';
import { type BeamProcess, beamProcesses } from './beam-processes.ts';
import { readPlain } from './plain-file.ts';

/** Where to look; a test brings its own. */
export interface CookieSurroundings {
  /** `/proc` */
  readonly proc: string;
  readonly uid: number;
  readonly env: Environment;
  readonly home: string;
}

export interface CookieCandidate {
  readonly cookie: string;
  /** For a log: `RELEASE_COOKIE of process 12`. Never the cookie. */
  readonly where: string;
}

export interface CookieSearch {
  /** The most likely first, none twice. */
  readonly candidates: readonly CookieCandidate[];
  /** What was looked at, for a person whose cookie was refused. */
  readonly looked: string;
}

const COOKIE_FILE = '.erlang.cookie';
/** Room for a line's end, so that a longer text is told from a cookie. */
const MAX_FILE_BYTES = MAX_COOKIE_BYTES + 16;

/** The cookies that the node of this full name may have. Never fails. */
export async function searchCookies(
  node: string,
  { proc, uid, env, home }: CookieSurroundings,
): Promise<CookieSearch> {
  const beams = await beamProcesses(proc, uid);
  const itself = beams.filter((beam) => isNode(beam, node));
  const others = beams.filter((beam) => !isNode(beam, node));
  const own = new Map(Object.entries(env).flatMap(([key, value]) => (value ? [[key, value]] : [])));
  const found = [
    ...(await Promise.all(itself.map(ofProcess))),
    ofVariables(own, 'the agent'),
    await ofFiles(own, home, 'the agent'),
    ...(await Promise.all(others.map(ofProcess))),
  ].flat();
  const processes = `${beams.length} Erlang ${beams.length === 1 ? 'process' : 'processes'}`;
  const candidates = found.flatMap(({ cookie, where }) =>
    cookiesOfText(cookie).map((possible) => ({ cookie: possible, where })),
  );
  return {
    candidates: distinct(candidates.filter(({ cookie }) => isCookie(cookie))),
    looked: `the environment and the home folder of the agent, and those, the command lines and the releases of ${processes} of its user`,
  };
}

/** Short names are enough where the process was not told its host. */
function isNode({ node: given }: BeamProcess, node: string): boolean {
  if (given === undefined) return false;
  return given === node || (!given.includes('@') && given === node.split('@')[0]);
}

async function ofProcess({ pid, setCookie, env }: BeamProcess): Promise<CookieCandidate[]> {
  const whose = `process ${pid}`;
  const home = env.get('HOME');
  return [
    ...(setCookie === undefined ? [] : [{ cookie: setCookie, where: `-setcookie of ${whose}` }]),
    ...ofVariables(env, whose),
    ...(await ofFiles(env, home, whose)),
  ];
}

function ofVariables(env: ReadonlyMap<string, string>, whose: string): CookieCandidate[] {
  return COOKIE_VARIABLES.flatMap((name) => {
    const cookie = env.get(name);
    return cookie === undefined ? [] : [{ cookie, where: `${name} of ${whose}` }];
  });
}

async function ofFiles(
  env: ReadonlyMap<string, string>,
  home: string | undefined,
  whose: string,
): Promise<CookieCandidate[]> {
  const release = env.get('RELEASE_ROOT');
  const config = env.get('XDG_CONFIG_HOME') ?? (home === undefined ? undefined : `${home}/.config`);
  const files = [
    [release, 'releases/COOKIE', cookieOfRelease],
    [home, COOKIE_FILE, cookieOfFile],
    [config, `erlang/${COOKIE_FILE}`, cookieOfFile],
  ] as const;
  const found = await Promise.all(
    files.map(async ([folder, name, cookieIn]) => {
      if (!folder?.startsWith('/')) return [];
      const bytes = await readPlain(join(folder, name), MAX_FILE_BYTES);
      const cookie = bytes === undefined ? undefined : cookieIn(bytes);
      return cookie === undefined ? [] : [{ cookie, where: `${name} of ${whose}` }];
    }),
  );
  return found.flat();
}

/** Its start script passes the file on by `$(cat …)`. */
function cookieOfRelease(bytes: Buffer): string {
  return bytes.toString('utf8').replace(/\n+$/, '');
}

function distinct(found: readonly CookieCandidate[]): readonly CookieCandidate[] {
  const seen = new Set<string>();
  return found.filter(({ cookie }) => {
    if (seen.has(cookie)) return false;
    seen.add(cookie);
    return true;
  });
}
