import { readFileSync } from 'node:fs';
import { givenCookie, isCookie, MAX_COOKIE_BYTES } from '../../erlang/cookie.ts';
import { EpmuxError } from '../../protocol/errors.ts';
import { fileTrouble } from '../file-trouble.ts';
import type { Environment } from '../io.ts';

/** EPMUX_COOKIE without the white space around it, which is nobody's; undefined when that leaves nothing. */
export function cookieVariable(env: Environment): string | undefined {
  return givenCookie(env['EPMUX_COOKIE'] ?? '') || undefined;
}

/** The cookie that a file holds. Throws USAGE. */
export function cookieIn(file: string): string {
  let cookie: string;
  try {
    cookie = givenCookie(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new EpmuxError('USAGE', `can't read ${file}: ${fileTrouble(cause)}`, { cause });
  }
  if (!isCookie(cookie)) {
    throw new EpmuxError(
      'USAGE',
      `${file} holds no cookie: one line of 1 to ${MAX_COOKIE_BYTES} characters`,
      { hint: 'name a file that holds the production cookie and nothing else' },
    );
  }
  return cookie;
}
