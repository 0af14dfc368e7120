import { EpmuxError } from '../protocol/errors.ts';
import { type BoundedFile, readBoundedSync } from '../runtime/bounded-file.ts';
import { systemCode } from '../runtime/system-error.ts';

/** Node reads it when a process starts, and never again: a daemon that runs is told the file. */
export const EXTRA_CA_VARIABLE = 'NODE_EXTRA_CA_CERTS';

/** All authorities of the world are a quarter of it. */
const MAX_FILE_BYTES = 1_048_576;
const CERTIFICATE = /-----BEGIN (TRUSTED |X509 )?CERTIFICATE-----/;

/** The certificates in the file that NODE_EXTRA_CA_CERTS names, in PEM. Throws CONFIG_INVALID. */
export function readExtraCa(path: string): string {
  const text = read(path);
  if (!CERTIFICATE.test(text)) throw wrong(path, 'which holds no certificate in PEM');
  return text;
}

/**
 * The certificates of one tunnel: the file is read anew each time, and what it held last counts
 * while it can't be.
 */
export class ExtraCa {
  #path: string | undefined;
  #text: string | undefined;

  /** In PEM; undefined where no file is named. Throws CONFIG_INVALID. */
  from(path: string | undefined): string | undefined {
    if (path === undefined) return undefined;
    try {
      this.#text = readExtraCa(path);
      this.#path = path;
    } catch (error) {
      if (this.#path !== path) throw error;
    }
    return this.#text;
  }
}

function read(path: string): string {
  let file: BoundedFile;
  try {
    file = readBoundedSync(path, MAX_FILE_BYTES);
  } catch (cause) {
    const code = systemCode(cause);
    throw wrong(path, `which can not be read${code === undefined ? '' : ` (${code})`}`, cause);
  }
  if (!file.isWhole) throw wrong(path, `which is larger than ${MAX_FILE_BYTES} bytes`);
  return file.bytes.toString('utf8');
}

function wrong(path: string, why: string, cause?: unknown): EpmuxError {
  return new EpmuxError('CONFIG_INVALID', `${EXTRA_CA_VARIABLE} names ${path}, ${why}`, {
    cause,
    hint: `correct or unset ${EXTRA_CA_VARIABLE}`,
  });
}
