/** Memory and descriptors of a peer's processes, before, while and after. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Peer } from './peer.ts';
import { type Holding, holding } from './processes.ts';

export interface Held {
  readonly before: Holding;
  readonly after: Holding;
  readonly peakRssBytes: number;
}

/** Sockets that are closing need a moment. */
const SETTLE_MS = 30_000;
const LOOK_EVERY_MS = 250;

export class Holdings {
  readonly #peer: Peer;
  readonly #peakRss = new Map<string, number>();
  #before: ReadonlyMap<string, Holding> = new Map();

  constructor(peer: Peer) {
    this.#peer = peer;
  }

  /** What comes after is held against this. */
  begin(): void {
    this.#before = this.#look();
  }

  note(): void {
    for (const [name, { rssBytes }] of this.#look()) {
      this.#peakRss.set(name, Math.max(rssBytes, this.#peakRss.get(name) ?? 0));
    }
  }

  /**
   * Once the descriptors are no more than before, or have had their time. A process that has gone
   * is left out, and told.
   */
  async end(gone: (name: string) => void): Promise<ReadonlyMap<string, Held>> {
    const deadline = performance.now() + SETTLE_MS;
    while (!this.#isBack() && performance.now() < deadline) await pause(LOOK_EVERY_MS);
    const now = this.#look();
    const all = new Map<string, Held>();
    for (const [name, before] of this.#before) {
      const after = now.get(name);
      if (after === undefined) gone(name);
      else all.set(name, { before, after, peakRssBytes: this.#peakRss.get(name) ?? 0 });
    }
    return all;
  }

  #isBack(): boolean {
    return [...this.#look()].every(
      ([name, { descriptors }]) => descriptors <= (this.#before.get(name)?.descriptors ?? 0),
    );
  }

  #look(): Map<string, Holding> {
    const found = new Map<string, Holding>();
    for (const [name, pid] of this.#peer.processes().judged) {
      const held = holding(pid);
      if (held !== undefined) found.set(name, held);
    }
    return found;
  }
}
