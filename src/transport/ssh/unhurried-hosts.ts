const MAX_HOSTS = 100;

/**
 * Hosts that cut the connection off, or said nothing, when a channel was asked for early: they are
 * asked for one thing after the other.
 */
export class UnhurriedHosts {
  /** `host:port`, the one that was added last behind the others. */
  readonly #hosts = new Set<string>();

  has(host: string): boolean {
    return this.#hosts.has(host);
  }

  /** The oldest gives way to one too many: it costs one connection to learn that anew. */
  add(host: string): void {
    this.#hosts.delete(host);
    this.#hosts.add(host);
    const [oldest] = this.#hosts;
    if (this.#hosts.size > MAX_HOSTS && oldest !== undefined) this.#hosts.delete(oldest);
  }
}
