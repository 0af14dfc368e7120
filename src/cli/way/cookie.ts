import { givenCookie, isCookie, MAX_COOKIE_BYTES } from '../../erlang/cookie.ts';
import { EpmuxError } from '../../protocol/errors.ts';
import { type BoundedFile, readBoundedSync } from '../../runtime/bounded-file.ts';
import { fileTrouble } from '../file-trouble.ts';

/** Of a cookie and the white space around it. */
const MAX_FILE_BYTES = 4_096;

/** The cookie that a file holds. Throws USAGE. */
export function cookieIn(file: string): string {
  let found: BoundedFile;
  try {
    found = readBoundedSync(file, MAX_FILE_BYTES, true);
  } catch (cause) {
    throw new EpmuxError('USAGE', `can't read ${file}: ${fileTrouble(cause)}`, { cause });
  }
  const cookie = givenCookie(found.bytes.toString('utf8'));
  if (!found.isWhole || !isCookie(cookie)) {
    throw new EpmuxError(
      'USAGE',
      `${file} holds no cookie: one line of 1 to ${MAX_COOKIE_BYTES} characters`,
      { hint: 'name a file that holds the production cookie and nothing else' },
    );
  }
  return cookie;
}
