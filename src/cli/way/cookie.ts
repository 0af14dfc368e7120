import { readFileSync } from 'node:fs';
import { givenCookie, isCookie, MAX_COOKIE_BYTES } from '../../erlang/cookie.ts';
import { EpmuxError } from '../../protocol/errors.ts';
import { fileTrouble } from '../file-trouble.ts';

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
