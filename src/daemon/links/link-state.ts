import type { EpmuxError } from '../../protocol/errors.ts';
import { type Transitions, transition } from '../../protocol/transitions.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { ErrorStatus, LinkState } from '../control/api.ts';

/**
 *     connecting ──attached──▶ up ──lost──▶ reconnecting ──attached──▶ up
 *         │  ▲                                   │  ▲
 *       fatal └────────────── again ─── failed ◀─┘fatal
 *         └─────────────────────────────▲
 *     and from any of them ──close──▶ down, which is final
 */
const NEXT: Transitions<LinkState> = {
  connecting: ['up', 'failed', 'down'],
  up: ['reconnecting', 'down'],
  reconnecting: ['up', 'failed', 'down'],
  failed: ['connecting', 'reconnecting', 'down'],
  down: [],
};

export function errorStatus(error: EpmuxError, at: number): ErrorStatus {
  const { code, message, hint } = error;
  return { code, message, hint, at: new Date(at).toISOString() };
}

/** In which state a link is, since when, and what went wrong last. */
export class LinkStateMachine {
  readonly #clock: Clock;
  #state: LinkState = 'connecting';
  #since: number;
  #reconnects = 0;
  #lastError: { readonly error: EpmuxError; readonly at: number } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = clock.wallNow();
  }

  get state(): LinkState {
    return this.#state;
  }

  /** ISO 8601. */
  get since(): string {
    return new Date(this.#since).toISOString();
  }

  /** How often it came up again. */
  get reconnects(): number {
    return this.#reconnects;
  }

  get lastError(): EpmuxError | undefined {
    return this.#lastError?.error;
  }

  get lastErrorStatus(): ErrorStatus | null {
    const last = this.#lastError;
    return last === undefined ? null : errorStatus(last.error, last.at);
  }

  failedWith(error: EpmuxError): void {
    this.#lastError = { error, at: this.#clock.wallNow() };
  }

  /** False when it was in that state already. */
  enter(next: LinkState): boolean {
    const from = this.#state;
    if (from === next) return false;
    this.#state = transition(NEXT, 'a link', from, next);
    if (from === 'reconnecting' && next === 'up') this.#reconnects += 1;
    this.#since = this.#clock.wallNow();
    return true;
  }
}
