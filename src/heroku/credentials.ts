import { constants, existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EpmuxError } from '../protocol/errors.ts';
import { unlessAborted } from '../runtime/attempt.ts';
import { systemCode } from '../runtime/system-error.ts';
import { netrcEntry } from './netrc.ts';

/** A pipe in the file's place must not keep a thread waiting for its writer. */
const AT_ONCE = constants.O_RDONLY | constants.O_NONBLOCK;

/** An API key and where it came from. The key is a secret. */
export interface ApiKey {
  readonly key: string;
  /** For a person: `HEROKU_API_KEY`, `~/.netrc`. */
  readonly source: string;
}

export interface Credentials {
  /**
   * Throws HEROKU_AUTH_MISSING, CONFIG_INVALID when what is given is no key, or PERMISSION_DENIED
   * when ~/.netrc can't be read.
   */
  current(): Promise<ApiKey>;
  /** Another key than the refused one, if there is one by now. */
  renewed(refused: ApiKey): Promise<ApiKey | undefined>;
}

export interface CredentialsOptions {
  /** HEROKU_API_KEY of whoever asks; it wins. */
  readonly apiKey: string | undefined;
  /** The host of the API, with its port where it names one. */
  readonly apiHost: string;
  /** Where `.netrc` is. */
  readonly home: string;
}

/** What a header can carry; keys are much shorter. */
const API_KEY = /^[!-~]{1,4096}$/;

/**
 * HEROKU_API_KEY without the white space around it; undefined when that leaves nothing. Throws
 * CONFIG_INVALID when it can be no key.
 */
export function apiKeyVariable(value: string | undefined): string | undefined {
  const key = value?.trim();
  if (!key) return undefined;
  if (API_KEY.test(key)) return key;
  throw new EpmuxError(
    'CONFIG_INVALID',
    'HEROKU_API_KEY is no key: it has white space or other signs within it, or is too long',
    { hint: 'set it anew, such as with HEROKU_API_KEY="$(heroku auth:token)", or unset it' },
  );
}

/** Given keys stay as they are; ~/.netrc is read once, and again when its key was refused. */
export function herokuCredentials(options: CredentialsOptions): Credentials {
  if (options.apiKey?.trim()) {
    const given = async (): Promise<ApiKey> => ({
      key: apiKeyVariable(options.apiKey) ?? '',
      source: 'HEROKU_API_KEY',
    });
    return { current: given, renewed: async () => undefined };
  }
  let known: Promise<ApiKey> | undefined;
  return {
    current() {
      known ??= fromNetrc(options);
      known.catch(() => {
        known = undefined;
      });
      return known;
    },
    async renewed(refused) {
      known = undefined;
      const found = await this.current();
      return found.key === refused.key ? undefined : found;
    },
  };
}

/**
 * Calls with the key that there is; once more when it is refused and another one is there by now.
 */
export async function withApiKey<T>(
  credentials: Credentials,
  signal: AbortSignal,
  call: (apiKey: ApiKey) => Promise<T>,
): Promise<T> {
  const apiKey = await unlessAborted(credentials.current(), 'reading ~/.netrc', signal);
  try {
    return await call(apiKey);
  } catch (error) {
    if (!EpmuxError.is(error, 'HEROKU_AUTH_REFUSED')) throw error;
    const other = await credentials.renewed(apiKey).catch(() => undefined);
    if (other === undefined) throw error;
    return call(other);
  }
}

async function fromNetrc({ apiHost, home }: CredentialsOptions): Promise<ApiKey> {
  const file = join(home, '.netrc');
  const text = await readNetrc(file);
  const hosts = [apiHost, apiHost.replace(/:\d+$/, '')];
  const keys = hosts.map((host) => netrcEntry(text, host)?.password);
  const key = keys.find((password) => password !== undefined && password !== '');
  if (key !== undefined) return { key, source: '~/.netrc' };
  const encrypted = existsSync(`${file}.gpg`);
  throw new EpmuxError(
    'HEROKU_AUTH_MISSING',
    `there is no key for Heroku: HEROKU_API_KEY is not set, and ~/.netrc has no password for ${apiHost}`,
    encrypted
      ? { hint: 'epmux does not decrypt ~/.netrc.gpg: set HEROKU_API_KEY="$(heroku auth:token)"' }
      : {
          hint: 'run `heroku login`; if it keeps the key in the system’s keychain, set HEROKU_API_KEY="$(heroku auth:token)"',
        },
  );
}

async function readNetrc(file: string): Promise<string> {
  try {
    return await readFile(file, { encoding: 'utf8', flag: AT_ONCE });
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return '';
    throw new EpmuxError('PERMISSION_DENIED', `~/.netrc can't be read: ${code}`, { cause: error });
  }
}
