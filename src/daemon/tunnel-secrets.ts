import { isDeepStrictEqual } from 'node:util';
import type { HerokuAhead } from '../heroku/ahead.ts';
import { EpmuxError } from '../protocol/errors.ts';
import type { TunnelSpec, UpSecrets } from './control/api.ts';
import type { Redactor } from './redact.ts';
import { readCookieFile, readSecretFile, type SecretStore } from './secrets.ts';

export type SecretFiles = Pick<TunnelSpec, 'secretFile' | 'cookieFile'>;

/**
 * What a tunnel proves itself with. The secret: given with `up`, else in the file that the tunnel
 * names, else what was kept from the last `up`. The production cookie: given with `up`, else in the
 * file named; it is never written anywhere.
 */
export class TunnelSecrets {
  readonly #name: string;
  readonly #store: SecretStore;
  readonly #redactor: Redactor;
  /** What Heroku has told the caller of `up`: for the tunnel's beginning alone. */
  readonly ahead: HerokuAhead | undefined;
  #files: SecretFiles;
  #given: UpSecrets;
  #unkept: EpmuxError | undefined;

  constructor(
    spec: TunnelSpec,
    given: UpSecrets,
    store: SecretStore,
    redactor: Redactor,
    ahead?: HerokuAhead,
  ) {
    this.ahead = ahead;
    this.#name = spec.name;
    this.#files = filesOf(spec);
    this.#given = given;
    this.#store = store;
    this.#redactor = redactor;
    this.#hide();
  }

  get given(): UpSecrets {
    return this.#given;
  }

  /** The files that are named by now. */
  get files(): SecretFiles {
    return this.#files;
  }

  /**
   * What is given or named anew replaces what there was, and no key for Heroku stands for ~/.netrc.
   * Whether anything is another one now.
   */
  replace(given: UpSecrets, spec: SecretFiles): boolean {
    const files = filesOf(spec);
    const before = [this.#files, this.#given];
    const { secret, cookie, herokuToken: _old, ...others } = this.#given;
    this.#files = { ...this.#files, ...files };
    this.#given = {
      ...others,
      ...(secret === undefined || files.secretFile !== undefined ? {} : { secret }),
      ...(cookie === undefined || files.cookieFile !== undefined ? {} : { cookie }),
      ...given,
    };
    this.#hide();
    return !isDeepStrictEqual(before, [this.#files, this.#given]);
  }

  /** The accepted host key stands in a file: from now on that alone counts. */
  dropHostKey(fingerprint: string): void {
    const { acceptHostKey, ...others } = this.#given;
    if (acceptHostKey === fingerprint) this.#given = others;
  }

  async secret(): Promise<string | undefined> {
    const { secretFile } = this.#files;
    if (this.#given.secret !== undefined) return this.#given.secret.trim();
    const secret =
      secretFile === undefined
        ? await this.#store.read(this.#name)
        : await readSecretFile(secretFile);
    if (secretFile !== undefined && secret === undefined) {
      throw new EpmuxError('SECRET_MISSING', `there is no secret in ${secretFile}`, {
        hint: 'write it into that file, or pass another --secret-file',
      });
    }
    this.#redactor.add(secret);
    return secret;
  }

  async cookie(): Promise<string | undefined> {
    const { cookieFile } = this.#files;
    if (this.#given.cookie !== undefined) return this.#given.cookie;
    const cookie = cookieFile === undefined ? undefined : await readCookieFile(cookieFile);
    this.#redactor.add(cookie);
    return cookie;
  }

  /** A refusal of what a file holds: no variable is looked at beside it. */
  hinted(error: EpmuxError): EpmuxError {
    const { secret, cookie } = this.#given;
    const { secretFile, cookieFile } = this.#files;
    const other = (option: string) => `correct that file, or pass another --${option}`;
    if (error.code === 'SECRET_REFUSED' && secret === undefined && secretFile !== undefined) {
      const message = `${error.message}; the secret is that in ${secretFile}`;
      return error.with({ message, hint: other('secret-file') });
    }
    if (error.code === 'COOKIE_REFUSED' && cookie === undefined && cookieFile !== undefined) {
      const message = `${error.message}; the tunnel's cookie is that in ${cookieFile}`;
      return error.with({ message, hint: other('cookie-file') });
    }
    return error;
  }

  /** So that the tunnel can come back with the daemon. */
  async keep(): Promise<void> {
    const { secret } = this.#given;
    if (secret === undefined) return;
    try {
      await this.#store.write(this.#name, secret);
      this.#unkept = undefined;
    } catch (error) {
      if (error instanceof EpmuxError) this.#unkept = error;
      throw error;
    }
  }

  /** Why the secret would not come back with the daemon: it could not be written. */
  get unkept(): EpmuxError | undefined {
    return this.#unkept;
  }

  forget(): Promise<void> {
    return this.#store.remove(this.#name);
  }

  #hide(): void {
    this.#redactor.add(this.#given.secret);
    this.#redactor.add(this.#given.cookie);
    this.#redactor.add(this.#given.herokuToken);
    for (const text of Object.values(this.#given.proxyVariables ?? {})) {
      this.#redactor.add(passwordOf(text));
    }
  }
}

function filesOf({ secretFile, cookieFile }: SecretFiles): SecretFiles {
  return {
    ...(secretFile === undefined ? {} : { secretFile }),
    ...(cookieFile === undefined ? {} : { cookieFile }),
  };
}

/** As it is written in a proxy's URL, which may have no scheme. */
function passwordOf(text: string): string | undefined {
  return /^(?:[^/@]*:\/\/)?[^/@:]*:([^/@]+)@/.exec(text)?.[1];
}
