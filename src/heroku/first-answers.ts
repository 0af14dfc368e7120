import type { Clock } from '../runtime/clock.ts';
import type { HerokuAhead } from './ahead.ts';
import type { Dyno, Reservation } from './answers.ts';
import type { ExecFacts } from './preflight.ts';

/** What is older may have changed: Heroku is asked again. */
const NEW_MS = 5_000;

/** Heroku's answers from before: each serves once, and only while it is new. */
export class FirstAnswers {
  readonly #ahead: HerokuAhead | undefined;
  readonly #clock: Clock;
  readonly #until: number;
  readonly #used = new Set<string>();

  constructor(ahead: HerokuAhead | undefined, clock: Clock) {
    this.#ahead = ahead;
    this.#clock = clock;
    this.#until = clock.now() + NEW_MS;
  }

  facts(): ExecFacts | undefined {
    return this.#take('facts', this.#ahead?.facts);
  }

  dynos(): readonly Dyno[] | undefined {
    return this.#take('dynos', this.#ahead?.dynos);
  }

  reservation(dyno: string): Reservation | undefined {
    return this.#take(`a way into ${dyno}`, this.#ahead?.reservations[dyno]);
  }

  #take<T>(what: string, answer: T | undefined): T | undefined {
    if (this.#used.has(what) || this.#clock.now() > this.#until) return undefined;
    this.#used.add(what);
    return answer;
  }
}
