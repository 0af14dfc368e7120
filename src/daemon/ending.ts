import type { Clock } from '../runtime/clock.ts';

/** How long a daemon without tunnels waits for somebody to ask for one. */
const IDLE_MS = 30_000;
/**
 * How long those who are still connected when the last tunnel was taken down may bring up another.
 */
const LINGER_MS = 2_000;

export interface EndingOptions {
  readonly clock: Clock;
  readonly tunnels: () => number;
  readonly clients: () => number;
  /** It never does. */
  readonly stay: boolean;
  readonly end: () => void;
}

/**
 * When a daemon without tunnels ends.
 *
 *     last tunnel taken down ──no client──▶ at once
 *                            ──clients────▶ when they are gone, at most 2 s later
 *     none came up           ──no client──▶ 30 s later (somebody who connects stops that)
 */
export class Ending {
  readonly #options: EndingOptions;
  #takenDown = false;
  #closed = false;
  #cancel: (() => void) | undefined;

  constructor(options: EndingOptions) {
    this.#options = options;
  }

  /** Tunnels were taken down by somebody's wish. */
  onDown(): void {
    this.#takenDown = true;
    this.look();
  }

  /** Something has changed: a tunnel more or less, a client more or less. */
  look(): void {
    const { clock, tunnels, clients, stay, end } = this.#options;
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#closed || stay === true) return;
    if (tunnels() > 0) {
      this.#takenDown = false;
      return;
    }
    const connected = clients() > 0;
    if (connected && !this.#takenDown) return;
    const waitMs = this.#takenDown ? (connected ? LINGER_MS : 0) : IDLE_MS;
    this.#cancel = clock.wakeAt(clock.now() + waitMs, () => {
      this.#cancel = undefined;
      if (tunnels() === 0) end();
    });
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
  }
}
