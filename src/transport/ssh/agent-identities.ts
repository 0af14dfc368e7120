import type { Duplex } from 'node:stream';
import ssh2, { type GetStreamCallback, type IdentityCallback, type ParsedKey } from 'ssh2';

/**
 * An ssh-agent, perhaps for one of its keys only. Remembers what it offered, and leaves no socket
 * behind.
 */
export class AgentIdentities extends ssh2.OpenSSHAgent {
  readonly #only: Buffer | undefined;
  readonly #offered: ParsedKey[] = [];
  readonly #streams = new Set<Duplex>();
  #failed = false;
  #disposed = false;

  /** `only`: a public key in SSH's wire form. */
  constructor(socketPath: string, only: Buffer | undefined) {
    super(socketPath);
    this.#only = only;
  }

  get offered(): readonly ParsedKey[] {
    return this.#offered;
  }

  /** For a person. */
  get name(): string {
    if (this.#failed) return 'ssh-agent (it does not answer)';
    const count = this.#offered.length;
    return `ssh-agent (${count === 0 ? 'no key' : count === 1 ? '1 key' : `${count} keys`})`;
  }

  dispose(): void {
    this.#disposed = true;
    for (const stream of this.#streams) stream.destroy();
  }

  override getIdentities(callback: IdentityCallback<ParsedKey>): void {
    super.getIdentities((error, keys = []) => {
      this.#failed = Boolean(error);
      const all = keys as readonly ParsedKey[];
      const only = this.#only;
      const offered =
        only === undefined ? all : all.filter((key) => key.getPublicSSH().equals(only));
      this.#offered.push(...offered);
      callback(error, [...offered]);
    });
  }

  override getStream(callback: GetStreamCallback): void {
    super.getStream((error, stream) => {
      if (stream !== undefined) {
        this.#streams.add(stream);
        stream.once('close', () => this.#streams.delete(stream));
        if (this.#disposed) stream.destroy();
      }
      callback(error, stream);
    });
  }
}
