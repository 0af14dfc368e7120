import { givenCookie, isCookie, MAX_COOKIE_BYTES } from '../../erlang/cookie.ts';
import { EpmuxError } from '../../protocol/errors.ts';
import type { Environment } from '../../runtime/environment.ts';

/**
 * As it is; undefined when it is empty. Throws CONFIG_INVALID when it is longer than the daemon
 * takes.
 */
export function variable(env: Environment, name: string, longest: number): string | undefined {
  const value = env[name];
  if (value !== undefined && value.length > longest) {
    throw wrongVariable(name, `is longer than ${longest} characters`);
  }
  return value || undefined;
}

/**
 * Without the white space around it, which is nobody's: an agent and files leave it out as well.
 */
export function trimmedVariable(env: Environment, name: string, longest: number) {
  const value = env[name]?.trim();
  return variable({ [name]: value }, name, longest);
}

/** EPMUX_COOKIE; undefined when there is none. Throws CONFIG_INVALID. */
export function cookieVariable(env: Environment): string | undefined {
  const cookie = givenCookie(env['EPMUX_COOKIE'] ?? '');
  if (cookie === '' || isCookie(cookie)) return cookie || undefined;
  throw wrongVariable(
    'EPMUX_COOKIE',
    `is no cookie: one line of 1 to ${MAX_COOKIE_BYTES} characters`,
  );
}

/** The value may be a secret: it is not repeated. */
function wrongVariable(name: string, what: string): EpmuxError {
  return new EpmuxError('CONFIG_INVALID', `${name} ${what}`, {
    hint: `look at what ${name} is set to, or unset it`,
  });
}
