import { EpmuxError } from '../protocol/errors.ts';
import { withEither } from '../runtime/either-signal.ts';

/**
 * The end of a carrier: once, by what came first, and told to each listener once, also to one that
 * comes late.
 */
export class CarrierLife {
  readonly #label: string;
  readonly #listeners = new Set<(error: EpmuxError | undefined) => void>();
  readonly #abort = new AbortController();
  #outcome: { readonly error: EpmuxError | undefined } | undefined;

  constructor(label: string) {
    this.#label = label;
  }

  get closed(): boolean {
    return this.#outcome !== undefined;
  }

  /** Ended by a failure. */
  get lost(): boolean {
    return this.#outcome?.error !== undefined;
  }

  onClosed(listener: (error: EpmuxError | undefined) => void): void {
    const outcome = this.#outcome;
    if (outcome === undefined) this.#listeners.add(listener);
    else queueMicrotask(() => listener(outcome.error));
  }

  /**
   * False when it had ended before. Listeners are told from a microtask on, never from within this
   * call.
   */
  end(error: EpmuxError | undefined): boolean {
    if (this.#outcome !== undefined) return false;
    this.#outcome = { error };
    this.#abort.abort(this.closedError());
    for (const listener of this.#listeners) queueMicrotask(() => listener(error));
    this.#listeners.clear();
    return true;
  }

  /** What fails on a carrier that has ended. */
  closedError(): EpmuxError {
    return (
      this.#outcome?.error ?? new EpmuxError('PIPE_LOST', `the way to ${this.#label} was closed`)
    );
  }

  /** Does the work with a signal that aborts with the caller's, and when the carrier ends. */
  during<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return withEither(signal, this.#abort.signal, work);
  }
}
