import type { ServerHostKeyAlgorithm } from 'ssh2';

/** Whom to take for the server. Asked anew for each connection. */
export type HostKeys = () => Promise<HostKeyCheck>;

export interface HostKeyCheck {
  /** What the server may prove itself with, the preferred first. */
  readonly algorithms: readonly ServerHostKeyAlgorithm[];
  /**
   * Resolves when the server may be trusted with this public key (in SSH's wire form). Throws
   * HOST_KEY_UNKNOWN (with details) or HOST_KEY_MISMATCH.
   */
  verify(key: Buffer): Promise<void>;
}

/** Best first; SHA-1 signatures (`ssh-rsa`) are not among them. */
const ALGORITHMS: readonly ServerHostKeyAlgorithm[] = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
];

/**
 * Those that belong to a key type already known first: a server with several keys then shows the
 * one that can be checked.
 */
export function algorithmsFor(keyTypes: readonly string[]): ServerHostKeyAlgorithm[] {
  const isKnown = (algorithm: string): boolean =>
    keyTypes.includes(algorithm.startsWith('rsa-') ? 'ssh-rsa' : algorithm);
  return [...ALGORITHMS.filter(isKnown), ...ALGORITHMS.filter((name) => !isKnown(name))];
}
