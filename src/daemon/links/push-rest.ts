import { EpmuxError } from '../../protocol/errors.ts';
import type { Clock } from '../../runtime/clock.ts';

/**
 * A dyno that could not take an agent, or does not keep it, is not asked again for so long: its
 * connection may break more often than that.
 */
const REST_MS = 5 * 60_000;
/** An agent that is gone sooner than this after its push says that the next may be, too. */
const SHORT_LIFE_MS = 60_000;
/** One may have met with an accident. */
const MAX_SHORT_LIVES = 2;

/** Whether a dyno is to be spared another push. */
export class PushRest {
  readonly #clock: Clock;
  #refusal: { readonly error: EpmuxError; readonly until: number } | undefined;
  #pushedAt = Number.NEGATIVE_INFINITY;
  #shortLives = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Why none is to be pushed now. */
  get why(): EpmuxError | undefined {
    const known = this.#refusal;
    return known !== undefined && this.#clock.now() < known.until ? known.error : undefined;
  }

  onPushed(): void {
    this.#pushedAt = this.#clock.now();
    this.#refusal = undefined;
  }

  onFailed(error: EpmuxError): void {
    this.#refusal = { error, until: this.#clock.now() + REST_MS };
  }

  /**
   * What was pushed is not there any more, or is none for this link: then it may stay in the dyno
   * for a while, and the next one beside it.
   */
  onUseless(error: EpmuxError): void {
    const livedMs = this.#clock.now() - this.#pushedAt;
    this.#shortLives = livedMs < SHORT_LIFE_MS ? this.#shortLives + 1 : 0;
    const isGone = error.code === 'AGENT_MISSING';
    if (this.#shortLives < (isGone ? MAX_SHORT_LIVES : 1)) return;
    const after = `after ${Math.round(livedMs / 1_000)} s`;
    const why = isGone
      ? `the one pushed last was gone ${after}`
      : `the one pushed last is of no use`;
    this.onFailed(new EpmuxError('AGENT_MISSING', `${why}: ${error.message}`, { cause: error }));
  }
}
