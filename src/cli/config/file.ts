import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { EpmuxError } from '../../protocol/errors.ts';
import { type BoundedFile, readBoundedSync } from '../../runtime/bounded-file.ts';
import type { Environment } from '../../runtime/environment.ts';
import { configHome } from '../../runtime/home.ts';
import { fileTrouble } from '../file-trouble.ts';
import { type Configuration, validateConfiguration } from './schema.ts';

const FILE_NAME = 'epmux.toml';
const MAX_FILE_BYTES = 1024 * 1024;

export interface ConfigurationFile {
  readonly path: string;
  readonly text: string;
  readonly configuration: Configuration;
}

/**
 * `epmux.toml` in `cwd` or the nearest parent, else the user's own; undefined when there is
 * neither.
 */
function findConfiguration(cwd: string, env: Environment): string | undefined {
  for (let folder = cwd; ; folder = dirname(folder)) {
    const candidate = join(folder, FILE_NAME);
    if (existsSync(candidate)) return candidate;
    if (dirname(folder) === folder) break;
  }
  const own = join(configHome(env), 'epmux', 'config.toml');
  return existsSync(own) ? own : undefined;
}

/** Undefined when there is no configuration file. Throws CONFIG_INVALID with file and line. */
export function loadConfiguration(cwd: string, env: Environment): ConfigurationFile | undefined {
  const path = findConfiguration(cwd, env);
  if (path === undefined) return undefined;
  const text = readTrusted(path, env);
  return { path, text, configuration: parseConfiguration(path, text) };
}

export function parseConfiguration(path: string, text: string): Configuration {
  let document: unknown;
  try {
    document = parse(text);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const what = cause.message.split('\n')[0] ?? '';
    throw new EpmuxError('CONFIG_INVALID', `${path}:${cause.line}: ${what}`, { cause });
  }
  return validateConfiguration(path, text, document);
}

/**
 * Such a file may name commands to run, and a folder above the working one may be anybody's: /tmp
 * is.
 */
function isTrusted(uid: number, env: Environment): boolean {
  const self = process.geteuid?.();
  const behindSudo = self === 0 ? Number(env['SUDO_UID'] ?? 0) : 0;
  return self === undefined || [self, 0, behindSudo].includes(uid);
}

function foreign(path: string, uid: number): EpmuxError {
  return new EpmuxError(
    'CONFIG_INVALID',
    `${path} belongs to another user (${uid}): not followed`,
    {
      hint: 'if you trust it make it your own, such as by copying it; or name the way on the command line',
    },
  );
}

function readTrusted(path: string, env: Environment): string {
  let file: BoundedFile;
  try {
    file = readBoundedSync(path, MAX_FILE_BYTES);
  } catch (cause) {
    throw new EpmuxError('CONFIG_INVALID', `can't read ${path}: ${fileTrouble(cause)}`, { cause });
  }
  const { bytes, isWhole, stat } = file;
  if (!isTrusted(stat.uid, env)) throw foreign(path, stat.uid);
  if (!isWhole) {
    throw new EpmuxError('CONFIG_INVALID', `${path} is larger than ${MAX_FILE_BYTES} bytes`);
  }
  return bytes.toString('utf8');
}
