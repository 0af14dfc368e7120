import { MIN_SECRET_BYTES } from '../protocol/constants.ts';
import { EpmuxError } from '../protocol/errors.ts';
import { type BoundedFile, readBoundedSync } from '../runtime/bounded-file.ts';
import type { Environment } from '../runtime/environment.ts';
import type { Logger } from '../runtime/logger.ts';
import { MAX_SECRET_BYTES, MAX_SECRET_FILE_BYTES } from '../runtime/secret-file.ts';
import { systemCode } from '../runtime/system-error.ts';

const HOW_TO_MAKE =
  'make one with `head -c 32 /dev/urandom | base64`, and give it to both ends by EPMUX_SECRET or --secret-file';

/**
 * The shared secret's bytes (UTF-8, white space around it removed), from the file if one is named,
 * else from EPMUX_SECRET. Throws SECRET_MISSING where there is none or the file can't be read,
 * USAGE where it is too short or too long.
 */
export function loadSecret(file: string | undefined, env: Environment, log: Logger): Uint8Array {
  if (file !== undefined) return check(readSecretFile(file, log), 'the secret in the file');
  const text = env['EPMUX_SECRET'];
  if (text === undefined || text.trim() === '') {
    throw new EpmuxError('SECRET_MISSING', 'no shared secret is set', { hint: HOW_TO_MAKE });
  }
  return check(text, 'EPMUX_SECRET');
}

function check(text: string, what: string): Uint8Array {
  const secret = Buffer.from(text.trim(), 'utf8');
  if (secret.length < MIN_SECRET_BYTES || secret.length > MAX_SECRET_BYTES) {
    throw new EpmuxError(
      'USAGE',
      `${what} has ${secret.length} bytes, and ${MIN_SECRET_BYTES} to ${MAX_SECRET_BYTES} are needed`,
      { hint: HOW_TO_MAKE },
    );
  }
  return secret;
}

function readSecretFile(file: string, log: Logger): string {
  let found: BoundedFile;
  try {
    found = readBoundedSync(file, MAX_SECRET_FILE_BYTES, true);
  } catch (cause) {
    throw unreadable(file, cause);
  }
  if ((found.stat.mode & 0o077) !== 0) {
    log.warn('others may read the secret file: chmod 600 it', { file });
  }
  return found.bytes.toString('utf8');
}

function unreadable(file: string, cause: unknown): EpmuxError {
  const why = systemCode(cause) ?? 'unknown';
  return new EpmuxError('SECRET_MISSING', `the secret file ${file} can't be read (${why})`, {
    cause,
    hint: HOW_TO_MAKE,
  });
}
