import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import ssh2, { type ParsedKey } from 'ssh2';
import { EpmuxError } from '../../protocol/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import { systemCode } from '../../runtime/system-error.ts';
import { AgentIdentities } from './agent-identities.ts';

export type Identity =
  | { readonly kind: 'key'; readonly name: string; readonly key: ParsedKey }
  | { readonly kind: 'agent'; readonly agent: AgentIdentities };

export interface IdentitySet {
  /** In the order in which they are tried. */
  readonly identities: readonly Identity[];
  /** Key files that are there and can't be used by themselves, each with the reason: `FILE (it has a passphrase)`. */
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
const PASSPHRASE = 'it has a passphrase';

/** A person's keys as `ssh` finds them: the identity file alone; else ssh-agent's keys, then the default files. */
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
    if (found === 'missing') continue;
    if (typeof found !== 'string') identities.push({ kind: 'key', name: file, key: found });
    else {
      unusable.push(`${file} (${found})`);
      options.logger.debug('a key is left out', { file, why: found });
    }
  }
  return setOf(identities, unusable);
}

/** A key with a passphrase, or a public key, stands for the one that ssh-agent holds. */
async function onlyFile(file: string, sshAuthSock: string | undefined): Promise<IdentitySet> {
  const found = await readKey(file);
  if (typeof found !== 'string' && found.isPrivateKey()) {
    return setOf([{ kind: 'key', name: file, key: found }], []);
  }
  const why =
    found === 'missing'
      ? 'there is no such file'
      : typeof found === 'string'
        ? found
        : 'it is a public key';
  const publicKey = typeof found === 'string' ? await readKey(`${file}.pub`) : found;
  const inAgent = found === PASSPHRASE || typeof found !== 'string';
  if (!inAgent || sshAuthSock === undefined || typeof publicKey === 'string') {
    throw new EpmuxError('SSH_KEY_UNUSABLE', `${file} can't be used: ${why}`);
  }
  const agent = new AgentIdentities(sshAuthSock, publicKey.getPublicSSH());
  return setOf([{ kind: 'agent', agent }], [`${file} (${why}, and ssh-agent does not hold it)`]);
}

/** The key, or why there is none. */
async function readKey(file: string): Promise<ParsedKey | string> {
  let text: Buffer;
  try {
    text = await readFile(file);
  } catch (error) {
    const code = systemCode(error);
    return code === 'ENOENT' || code === 'ENOTDIR' ? 'missing' : `it can't be read: ${code}`;
  }
  const parsed = ssh2.utils.parseKey(text) as ParsedKey | ParsedKey[] | Error;
  if (parsed instanceof Error) {
    return /passphrase|encrypted/i.test(parsed.message)
      ? PASSPHRASE
      : 'it is no private key of a kind that is known here';
  }
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  return key ?? 'it holds no key';
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
