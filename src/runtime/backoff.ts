export interface BackoffOptions {
  /** Shortest wait. */
  readonly firstMs: number;
  /** Longest wait. */
  readonly maxMs: number;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
}

export const BACKOFF_DEFAULTS = { firstMs: 200, maxMs: 30_000 } as const;

/**
 * Waits between attempts with decorrelated jitter: each is drawn between the shortest and three
 * times the one before, so that many clients cut at once do not come back at once.
 */
export class Backoff {
  readonly #options: BackoffOptions;
  #lastMs: number;

  constructor(options: Partial<BackoffOptions> = {}) {
    this.#options = { ...BACKOFF_DEFAULTS, random: Math.random, ...options };
    this.#lastMs = this.#options.firstMs;
  }

  /** How long to wait before the next attempt. */
  nextMs(): number {
    const { firstMs, maxMs, random } = this.#options;
    const spread = Math.max(0, this.#lastMs * 3 - firstMs);
    this.#lastMs = Math.min(maxMs, firstMs + random() * spread);
    return Math.round(this.#lastMs);
  }

  /** An attempt held, or there is a sign that the next one will. */
  reset(): void {
    this.#lastMs = this.#options.firstMs;
  }
}
