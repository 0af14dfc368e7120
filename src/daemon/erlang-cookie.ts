import { randomInt } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cookieOfFile, MAX_COOKIE_BYTES } from '../erlang/cookie.ts';
import { EpmuxError } from '../protocol/errors.ts';
import { readBounded } from '../runtime/bounded-file.ts';
import { erlangConfig } from '../runtime/home.ts';
import { fileError, systemCode } from '../runtime/system-error.ts';

const COOKIE_LENGTH = 20;
/** Of a cookie and the white space around it. */
const MAX_FILE_BYTES = 4_096;

async function read(path: string): Promise<string | undefined> {
  try {
    const { bytes } = await readBounded(path, MAX_FILE_BYTES);
    // With a file that Erlang refuses no node starts, but one that was given its cookie: what it
    // holds is nobody's.
    const text = cookieOfFile(bytes) ?? bytes.toString('latin1').trim().slice(0, MAX_COOKIE_BYTES);
    return text === '' ? undefined : text;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw fileError(error, path);
  }
}

/** A new one, as Erlang makes it. */
export function drawCookie(): string {
  const letters = Array.from({ length: COOKIE_LENGTH }, () => randomInt(65, 91));
  return String.fromCharCode(...letters);
}

/**
 * The cookie that this user's nodes have: ~/.erlang.cookie, else the one in Erlang's configuration
 * folder (OTP 25 and later). With neither, one is made as Erlang would at a node's first start.
 * PERMISSION_DENIED, DISK_FULL or INTERNAL when that fails, CONFIG_INVALID for an empty file.
 */
export async function localCookie(
  home: string,
  config: string = erlangConfig({ HOME: home }),
): Promise<string> {
  const path = join(home, '.erlang.cookie');
  const found = (await read(path)) ?? (await read(join(config, '.erlang.cookie')));
  if (found !== undefined) return found;
  const cookie = drawCookie();
  try {
    await writeFile(path, cookie, { mode: 0o400, flag: 'wx' });
    return cookie;
  } catch (error) {
    // A node that starts at this moment may have been first.
    if (systemCode(error) !== 'EEXIST') throw fileError(error, path);
    const others = await read(path);
    if (others !== undefined) return others;
    const hint = 'Erlang starts no node with it: remove it, and one is made';
    throw new EpmuxError('CONFIG_INVALID', `${path} holds no cookie`, { cause: error, hint });
  }
}
