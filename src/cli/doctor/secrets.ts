import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { TunnelSpec, UpSecrets } from '../../daemon/control/api.ts';
import { cookieOfFile, cookieOfVariables, givenCookie } from '../../erlang/cookie.ts';
import { EpmuxError } from '../../protocol/errors.ts';
import type { Environment } from '../../runtime/environment.ts';
import { homeFolder } from '../../runtime/home.ts';
import { fileTrouble } from '../file-trouble.ts';
import type { CookieSource } from './dyno.ts';

const MAX_BYTES = 4_096;

/** What was given, else the file's. Throws USAGE when the file can't be read. */
export async function secretOf(spec: TunnelSpec, given: UpSecrets): Promise<string | undefined> {
  const secret = given.secret ?? (spec.secretFile && (await readText(spec.secretFile)));
  return secret?.trim() || undefined;
}

export interface CookiePlaces {
  readonly spec: TunnelSpec;
  readonly given: UpSecrets;
  /** Of the Heroku app; secrets. */
  readonly configVars: Readonly<Record<string, string>>;
  readonly env: Environment;
}

/** Where `up` would take the production cookie from; the user's own is a guess. */
export function cookieSource({ spec, given, configVars, env }: CookiePlaces): CookieSource {
  return async () => {
    const known = (cookie: string, source: string) => ({ cookie, source, isGuess: false });
    if (given.cookie !== undefined) return known(given.cookie, 'EPMUX_COOKIE');
    if (spec.cookieFile !== undefined) {
      return known(givenCookie(await readText(spec.cookieFile)), spec.cookieFile);
    }
    const configured = cookieOfVariables(configVars);
    if (configured !== undefined) return known(configured, 'the app’s config vars');
    const own = await read(join(homeFolder(env), '.erlang.cookie')).catch(() => undefined);
    const cookie = own === undefined ? undefined : cookieOfFile(own);
    return cookie === undefined ? cookie : { cookie, source: '~/.erlang.cookie', isGuess: true };
  };
}

async function readText(path: string): Promise<string> {
  return (await read(path)).toString('utf8');
}

async function read(path: string): Promise<Buffer> {
  try {
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_BYTES), 0, MAX_BYTES, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw new EpmuxError('USAGE', `can't read ${path}: ${fileTrouble(cause)}`, { cause });
  }
}
