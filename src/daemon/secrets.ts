import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { givenCookie } from '../erlang/cookie.ts';
import { readBounded } from '../runtime/bounded-file.ts';
import { MAX_SECRET_FILE_BYTES, secretIn } from '../runtime/secret-file.ts';
import { fileError, systemCode } from '../runtime/system-error.ts';
import { writeFileAtomic } from './files.ts';

/** Without capitals: macOS takes `Prod` and `prod` for one file. */
const SAFE_FILE_NAME = /^[a-z0-9][a-z0-9._@:+-]*$/;

/**
 * The text of a file that holds one secret, without the white space around it. Undefined: there is
 * none. Fails with USAGE where it is too long.
 */
export async function readSecretFile(path: string): Promise<string | undefined> {
  return (await read(path)) || undefined;
}

/**
 * The cookie in a file that a person named. Undefined: there is none. Fails with USAGE where it is
 * too long.
 */
export async function readCookieFile(path: string): Promise<string | undefined> {
  return givenCookie(await read(path)) || undefined;
}

/** Empty where there is no such file. */
async function read(path: string): Promise<string> {
  try {
    return secretIn(await readBounded(path, MAX_SECRET_FILE_BYTES), path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return '';
    throw fileError(error, path);
  }
}

/** The secrets of the tunnels, so that they come back with the daemon: one 0600 file each. */
export class SecretStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  read(tunnel: string): Promise<string | undefined> {
    return readSecretFile(this.#path(tunnel));
  }

  write(tunnel: string, secret: string): Promise<void> {
    return writeFileAtomic(this.#path(tunnel), `${secret}\n`);
  }

  async remove(tunnel: string): Promise<void> {
    const path = this.#path(tunnel);
    await rm(path, { force: true }).catch((error: unknown) => {
      throw fileError(error, path);
    });
  }

  /** The tunnel's own name where it is a plain file name, else a digest of it. */
  #path(tunnel: string): string {
    const name = SAFE_FILE_NAME.test(tunnel)
      ? tunnel
      : `=${createHash('sha256').update(tunnel).digest('hex').slice(0, 32)}`;
    return join(this.#folder, name);
  }
}
