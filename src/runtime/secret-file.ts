import { EpmuxError } from '../protocol/errors.ts';
import type { BoundedFile } from './bounded-file.ts';

/** Of a shared secret, without the white space around it. */
export const MAX_SECRET_BYTES = 4_096;
/** Of a file that holds one, white space included. */
export const MAX_SECRET_FILE_BYTES = 2 * MAX_SECRET_BYTES;

/**
 * The one secret or cookie in a file, without the white space around it; empty where it holds none.
 * Throws USAGE where it is too long.
 */
export function secretIn({ bytes, isWhole }: BoundedFile, path: string): string {
  const text = bytes.toString('utf8').trim();
  const length = Buffer.byteLength(text);
  if (isWhole && length <= MAX_SECRET_BYTES) return text;
  const has = isWhole ? `${length}` : `more than ${MAX_SECRET_FILE_BYTES}`;
  throw new EpmuxError(
    'USAGE',
    `${path} holds ${has} bytes, and a secret has at most ${MAX_SECRET_BYTES}`,
    { hint: 'name a file that holds the secret and nothing else' },
  );
}
