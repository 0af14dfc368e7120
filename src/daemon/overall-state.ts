import type { LinkState } from './control/api.ts';

/** What the state of a tunnel follows from. */
export interface Seen {
  readonly isClosed: boolean;
  /** Of each link. */
  readonly links: readonly LinkState[];
  /** Of what finds the dynos. */
  readonly dynos: LinkState;
}

/**
 * `failed` when a link is (or the dynos can't be known any more, and no link is up), else `up` when
 * a link is, else `reconnecting` when one ever was, else `connecting`; `down` once the tunnel is
 * closed.
 */
export class OverallState {
  #value: LinkState = 'connecting';
  #since: number;
  #wasUp = false;

  constructor(wallNow: number) {
    this.#since = wallNow;
  }

  get value(): LinkState {
    return this.#value;
  }

  /** When it became that, in ms of the wall clock. */
  get since(): number {
    return this.#since;
  }

  onChange(seen: Seen, wallNow: number): void {
    const next = this.#next(seen);
    if (next === 'up') this.#wasUp = true;
    if (next === this.#value) return;
    this.#value = next;
    this.#since = wallNow;
  }

  #next({ isClosed, links, dynos }: Seen): LinkState {
    if (isClosed) return 'down';
    if (links.includes('failed')) return 'failed';
    if (links.includes('up')) return 'up';
    if (dynos === 'failed') return 'failed';
    return this.#wasUp ? 'reconnecting' : 'connecting';
  }
}
