import { existsSync, rmSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { drawCookie } from '../daemon/erlang-cookie.ts';
import { EpmuxError } from '../protocol/errors.ts';
import { homeFolder } from '../runtime/home.ts';
import { systemCode } from '../runtime/system-error.ts';
import type { Cleanup } from './cleanup.ts';

/** A process that has just been killed may still have written something. */
const REMOVE = { recursive: true, force: true, maxRetries: 5, retryDelay: 20 } as const;
const COOKIE_FILE = '.erlang.cookie';

/** Everything the demo writes is in here, and gone with it. */
export interface DemoFolder {
  /** Home folders: the dyno's and the laptop's, each with a cookie of its own. */
  readonly dynoHome: string;
  readonly laptopHome: string;
  readonly epmuxHome: string;
  readonly dynoCookie: string;
}

/**
 * With `ownCookie` the laptop's cookie is the user's own (by a link, not a copy) where there is
 * one, so that the user's shells can be local nodes beside this daemon.
 */
export async function makeFolder(ownCookie: boolean, cleanup: Cleanup): Promise<DemoFolder> {
  const folder = await mkdtemp(join(tmpdir(), 'epmux-demo-')).catch(noFolder);
  // Where this process ends in a hurry, such as when nobody reads its output any more, there is no
  // time for promises.
  const removeNow = (): void => rmSync(folder, REMOVE);
  process.once('exit', removeNow);
  cleanup.add('the folder', async () => {
    await rm(folder, REMOVE);
    process.off('exit', removeNow);
  });
  const dynoHome = join(folder, 'dyno');
  const laptopHome = join(folder, 'laptop');
  const dynoCookie = drawCookie();
  await writeCookie(dynoHome, dynoCookie);
  const usersOwn = join(homeFolder(process.env), COOKIE_FILE);
  if (ownCookie && existsSync(usersOwn)) {
    await mkdir(laptopHome, { mode: 0o700 });
    await symlink(usersOwn, join(laptopHome, COOKIE_FILE));
  } else {
    await writeCookie(laptopHome, drawCookie());
  }
  return { dynoHome, laptopHome, epmuxHome: join(folder, 'epmux'), dynoCookie };
}

function noFolder(cause: unknown): never {
  if (systemCode(cause) !== 'ENOENT') throw cause;
  throw new EpmuxError('CONFIG_INVALID', `the temporary folder ${tmpdir()} is not there`, {
    cause,
    hint: 'set TMPDIR to one that is',
  });
}

async function writeCookie(home: string, cookie: string): Promise<void> {
  await mkdir(home, { mode: 0o700 });
  const file = join(home, COOKIE_FILE);
  await writeFile(file, cookie, { mode: 0o600 });
  await chmod(file, 0o400);
}
