import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { MIN_SECRET_BYTES } from '../protocol/constants.ts';
import { EpmuxError } from '../protocol/errors.ts';
import type { Environment } from '../runtime/environment.ts';
import type { Logger } from '../runtime/logger.ts';
import { systemCode } from '../runtime/system-error.ts';

const MAX_SECRET_BYTES = 4_096;
const HOW_TO_MAKE =
  'make one with `head -c 32 /dev/urandom | base64`, and give it to both ends by EPMUX_SECRET or --secret-file';

/**
 * The shared secret's bytes (UTF-8, white space around it removed), from the file if one is named, else from EPMUX_SECRET.
 * Throws SECRET_MISSING where there is none or the file can't be read, USAGE where it is too short or too long.
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
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch (cause) {
    throw unreadable(file, cause);
  }
  try {
    if ((fstatSync(fd).mode & 0o077) !== 0) {
      log.warn('others may read the secret file: chmod 600 it', { file });
    }
    // One byte more than may be there, so that a longer file is told from a full one.
    const buffer = Buffer.alloc(MAX_SECRET_BYTES * 2 + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < buffer.length; length += read) {
      read = readSync(fd, buffer, length, buffer.length - length, null);
    }
    return buffer.toString('utf8', 0, length);
  } catch (cause) {
    throw unreadable(file, cause);
  } finally {
    closeSync(fd);
  }
}

function unreadable(file: string, cause: unknown): EpmuxError {
  const why = systemCode(cause) ?? 'unknown';
  return new EpmuxError('SECRET_MISSING', `the secret file ${file} can't be read (${why})`, {
    cause,
    hint: HOW_TO_MAKE,
  });
}
