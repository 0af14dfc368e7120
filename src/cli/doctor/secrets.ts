import { join } from 'node:path';
import type { TunnelSpec, UpSecrets } from '../../daemon/control/api.ts';
import { cookieOfFile, cookieOfVariables, givenCookie } from '../../erlang/cookie.ts';
import { EpmuxError } from '../../protocol/errors.ts';
import { type BoundedFile, readBounded } from '../../runtime/bounded-file.ts';
import type { Environment } from '../../runtime/environment.ts';
import { homeFolder } from '../../runtime/home.ts';
import { MAX_SECRET_FILE_BYTES, secretIn } from '../../runtime/secret-file.ts';
import { fileTrouble } from '../file-trouble.ts';
import type { CookieSource } from './dyno.ts';

/** What was given, else the file's. Throws USAGE when the file can't be read or is too long. */
export async function secretOf(spec: TunnelSpec, given: UpSecrets): Promise<string | undefined> {
  const secret = given.secret ?? (spec.secretFile && (await readSecret(spec.secretFile)));
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
      return known(givenCookie(await readSecret(spec.cookieFile)), spec.cookieFile);
    }
    const configured = cookieOfVariables(configVars);
    if (configured !== undefined) return known(configured, 'the app’s config vars');
    const own = await read(join(homeFolder(env), '.erlang.cookie')).catch(() => undefined);
    const cookie = own === undefined ? undefined : cookieOfFile(own.bytes);
    return cookie === undefined ? cookie : { cookie, source: '~/.erlang.cookie', isGuess: true };
  };
}

async function readSecret(path: string): Promise<string> {
  return secretIn(await read(path), path);
}

async function read(path: string): Promise<BoundedFile> {
  try {
    return await readBounded(path, MAX_SECRET_FILE_BYTES);
  } catch (cause) {
    throw new EpmuxError('USAGE', `can't read ${path}: ${fileTrouble(cause)}`, { cause });
  }
}
