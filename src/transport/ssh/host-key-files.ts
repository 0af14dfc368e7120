import { constants } from 'node:fs';
import { mkdir, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EpmuxError } from '../../protocol/errors.ts';
import type { Address } from '../../runtime/address.ts';
import type { Logger } from '../../runtime/logger.ts';
import { systemCode } from '../../runtime/system-error.ts';
import { algorithmsFor, type HostKeys } from './host-keys.ts';
import {
  entriesFor,
  fingerprint,
  hostKeyType,
  judgeHostKey,
  type KnownHost,
  knownHostName,
  knownKeyTypes,
  parseKnownHosts,
} from './known-hosts.ts';

export interface HostKeyFilesOptions {
  readonly address: Address;
  /** Read, and written to when a person accepts a new key. */
  readonly file: string;
  readonly readOnlyFiles: readonly string[];
  /** The fingerprint that a person has accepted, should the server show it and no file know it. */
  readonly accepted: () => string | undefined;
  /** The accepted one stands in a file: should the person remove it there later, that counts. */
  readonly onKept: () => void;
  readonly logger: Logger;
}

/** A pipe in the file's place must not keep a thread waiting for its writer. */
const AT_ONCE = constants.O_RDONLY | constants.O_NONBLOCK;

/** Host keys as OpenSSH's known_hosts files have them. Files that are missing are empty. */
export function fileHostKeys(options: HostKeyFilesOptions): HostKeys {
  const { address, file, logger } = options;
  return async () => {
    const texts = [file, ...options.readOnlyFiles].map(async (path) =>
      parseKnownHosts(await readText(path, logger), path),
    );
    const entries = (await Promise.all(texts)).flat();
    logAuthorities(entries, address, logger);
    return {
      algorithms: algorithmsFor(knownKeyTypes(entries, address)),
      async verify(key) {
        const verdict = judgeHostKey(entries, address, key);
        const isAccepted = fingerprint(key) === options.accepted();
        if (verdict.kind === 'known') {
          if (isAccepted) options.onKept();
          return;
        }
        if (verdict.kind === 'changed') throw changed(address, key, verdict.by);
        if (verdict.kind === 'revoked') throw revoked(address, key, verdict.by);
        if (!isAccepted) throw unknown(address, key, verdict.others);
        if (await remember(file, address, key, logger)) options.onKept();
      },
    };
  };
}

async function readText(path: string, logger: Logger): Promise<string> {
  try {
    return await readFile(path, { encoding: 'utf8', flag: AT_ONCE });
  } catch (error) {
    const code = systemCode(error);
    if (code !== 'ENOENT' && code !== 'ENOTDIR') logger.warn(`${path} can't be read`, { code });
    return '';
  }
}

/**
 * Appends a line. A file that can't be written is no reason to refuse what a person has accepted.
 */
async function remember(
  file: string,
  address: Address,
  key: Buffer,
  logger: Logger,
): Promise<boolean> {
  const line = `${knownHostName(address)} ${hostKeyType(key)} ${key.toString('base64')}\n`;
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    const handle = await open(file, 'a+', 0o600);
    try {
      const text = await handle.readFile('utf8');
      await handle.appendFile(text === '' || text.endsWith('\n') ? line : `\n${line}`);
    } finally {
      await handle.close();
    }
    return true;
  } catch (error) {
    const code = systemCode(error);
    logger.warn('the accepted host key could not be written down', { file, code });
    return false;
  }
}

function logAuthorities(entries: readonly KnownHost[], address: Address, logger: Logger): void {
  for (const entry of entriesFor(entries, knownHostName(address))) {
    if (entry.marker !== '@cert-authority') continue;
    logger.debug('host certificates are not supported', { at: place(entry) });
  }
}

function place(entry: KnownHost): string {
  return `${entry.file}:${entry.line}`;
}

function unknown(address: Address, key: Buffer, others: readonly KnownHost[]): EpmuxError {
  const details = {
    host: knownHostName(address),
    keyType: hostKeyType(key),
    fingerprint: fingerprint(key),
  };
  const known = others.map((entry) => `${place(entry)} has its ${entry.keyType} key`).join(', ');
  const besides = known === '' ? '' : `, although ${known}`;
  return new EpmuxError(
    'HOST_KEY_UNKNOWN',
    `the host key of ${details.host} is not known${besides}: ${details.keyType} ${details.fingerprint}`,
    { details },
  );
}

function changed(address: Address, key: Buffer, by: KnownHost): EpmuxError {
  return new EpmuxError(
    'HOST_KEY_MISMATCH',
    `${knownHostName(address)} shows another ${by.keyType} host key (${fingerprint(key)}) than ${place(by)} has`,
    { hint: `somebody may be in between: find out why before you remove line ${by.line}` },
  );
}

function revoked(address: Address, key: Buffer, by: KnownHost): EpmuxError {
  return new EpmuxError(
    'HOST_KEY_MISMATCH',
    `${knownHostName(address)} shows a host key (${fingerprint(key)}) that ${place(by)} revokes`,
    { hint: 'this key is known to be stolen or retired: do not connect' },
  );
}
