import type { EpmuxError } from '../protocol/errors.ts';

/** What somebody who waits for a tunnel is told. */
export interface TunnelWatcher {
  onStep(step: string): void;
  /** Nothing is up, and an attempt has failed wherever one was made. */
  onAttemptFailed(error: EpmuxError): void;
  /** The state or the nodes are others than before. */
  onChanged(): void;
}

/** Tells each of them; one that leaves meanwhile may still hear what is being told. */
export class TunnelWatchers implements TunnelWatcher {
  readonly #watchers = new Set<TunnelWatcher>();

  /** Until the function returned is called. */
  add(watcher: TunnelWatcher): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  onStep(step: string): void {
    for (const watcher of [...this.#watchers]) watcher.onStep(step);
  }

  onAttemptFailed(error: EpmuxError): void {
    for (const watcher of [...this.#watchers]) watcher.onAttemptFailed(error);
  }

  onChanged(): void {
    for (const watcher of [...this.#watchers]) watcher.onChanged();
  }
}
