import { join } from 'node:path';
import ssh2, { type ParsedKey } from 'ssh2';
import { EpmuxError } from '../../protocol/errors.ts';
import { type BoundedFile, readBounded } from '../../runtime/bounded-file.ts';
import type { Logger } from '../../runtime/logger.ts';
import { systemCode } from '../../runtime/system-error.ts';
import { AgentIdentities } from './agent-identities.ts';

export type Identity =
  | { readonly kind: 'key'; readonly name: string; readonly key: ParsedKey }
  | { readonly kind: 'agent'; readonly agent: AgentIdentities };

export interface IdentitySet {
  /** In the order in which they are tried. */
  readonly identities: readonly Identity[];
  /**
   * Key files that are there and can't be used by themselves, each with the reason:
   * `FILE (it has a passphrase)`.
   */
  readonly unusable: readonly string[];
  /** The server was told of the one key before: it need not be asked whether it would do. */
  readonly isRegistered?: boolean;
  dispose(): void;
}

/** What the client proves itself with. Asked anew for each connection. Throws SSH_KEY_UNUSABLE. */
export type Identities = () => Promise<IdentitySet>;

export interface PersonalOptions {
  /** Where the default keys are. */
  readonly folder: string;
  /** The only key to use, when given. */
  readonly identityFile: string | undefined;
  readonly sshAuthSock: string | undefined;
  readonly logger: Logger;
}

/** A private key in memory alone, in PEM, that the server was told of; `name` is for a person. */
export function registeredKey(privateKey: string, name: string): Identities {
  return async () => {
    const key = ssh2.utils.parseKey(privateKey);
    if (key instanceof Error) throw new EpmuxError('SSH_KEY_UNUSABLE', `${name} can't be used`);
    return { ...setOf([{ kind: 'key', name, key }], []), isRegistered: true };
  };
}

const DEFAULT_FILES = ['id_ed25519', 'id_ecdsa', 'id_rsa'];
/** The longest key that OpenSSH makes, of 16,384 bits, takes 13 KB. */
const MAX_KEY_BYTES = 65_536;

/**
 * A person's keys as `ssh` finds them: the identity file alone; else ssh-agent's keys, then the
 * default files.
 */
export function personalIdentities(options: PersonalOptions): Identities {
  const { identityFile } = options;
  return identityFile === undefined
    ? () => everything(options)
    : () => onlyFile(identityFile, options.sshAuthSock);
}

async function everything(options: PersonalOptions): Promise<IdentitySet> {
  const identities: Identity[] = [];
  const unusable: string[] = [];
  if (options.sshAuthSock !== undefined) {
    identities.push({ kind: 'agent', agent: new AgentIdentities(options.sshAuthSock, undefined) });
  }
  for (const name of DEFAULT_FILES) {
    const file = join(options.folder, name);
    const found = await readKey(file);
    if (found.kind === 'missing') continue;
    if (found.kind === 'key') identities.push({ kind: 'key', name: file, key: found.key });
    else {
      unusable.push(`${file} (${found.why})`);
      options.logger.debug('a key is left out', { file, why: found.why });
    }
  }
  return setOf(identities, unusable);
}

/** A key with a passphrase, or a public key, stands for the one that ssh-agent holds. */
async function onlyFile(file: string, sshAuthSock: string | undefined): Promise<IdentitySet> {
  const found = await readKey(file);
  if (found.kind === 'key' && found.key.isPrivateKey()) {
    return setOf([{ kind: 'key', name: file, key: found.key }], []);
  }
  const why = found.kind === 'key' ? 'it is a public key' : found.why;
  const publicKey = found.kind === 'locked' ? await readKey(`${file}.pub`) : found;
  if (sshAuthSock === undefined || publicKey.kind !== 'key') {
    throw new EpmuxError('SSH_KEY_UNUSABLE', `${file} can't be used: ${why}`);
  }
  const agent = new AgentIdentities(sshAuthSock, publicKey.key.getPublicSSH());
  return setOf([{ kind: 'agent', agent }], [`${file} (${why}, and ssh-agent does not hold it)`]);
}

/** What a key file gives, or why it gives nothing; `locked`: by a passphrase. */
type KeyFile =
  | { readonly kind: 'key'; readonly key: ParsedKey }
  | { readonly kind: 'missing' | 'locked' | 'unusable'; readonly why: string };

async function readKey(file: string): Promise<KeyFile> {
  let found: BoundedFile;
  try {
    found = await readBounded(file, MAX_KEY_BYTES);
  } catch (error) {
    const code = systemCode(error);
    return code === 'ENOENT' || code === 'ENOTDIR'
      ? { kind: 'missing', why: 'there is no such file' }
      : noKey(`it can't be read: ${code}`);
  }
  if (!found.isWhole) return noKey(`it is larger than ${MAX_KEY_BYTES} bytes`);
  const parsed = ssh2.utils.parseKey(found.bytes) as ParsedKey | ParsedKey[] | Error;
  if (parsed instanceof Error) {
    return /passphrase|encrypted/i.test(parsed.message)
      ? { kind: 'locked', why: 'it has a passphrase' }
      : noKey('it is no private key of a kind that is known here');
  }
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  return key === undefined ? noKey('it holds no key') : { kind: 'key', key };
}

function noKey(why: string): KeyFile {
  return { kind: 'unusable', why };
}

function setOf(identities: readonly Identity[], unusable: readonly string[]): IdentitySet {
  return {
    identities,
    unusable,
    dispose() {
      for (const identity of identities) {
        if (identity.kind === 'agent') identity.agent.dispose();
      }
    },
  };
}
