/**
 * Work of which one run goes on at a time; whoever asks meanwhile, however late, gets a run that
 * begins after the question.
 */
export class Rerun {
  readonly #work: () => Promise<void>;
  #isAsked = false;
  #running: Promise<void> | undefined;

  constructor(work: () => Promise<void>) {
    this.#work = work;
  }

  /** The run that goes on, with those that were asked for. */
  get running(): Promise<void> | undefined {
    return this.#running;
  }

  /** Resolves when a run that began after this call is over, and rejects as the work does. */
  ask(): Promise<void> {
    this.#isAsked = true;
    this.#running ??= this.#run();
    return this.#running;
  }

  async #run(): Promise<void> {
    try {
      while (this.#isAsked) {
        this.#isAsked = false;
        await this.#work();
      }
    } finally {
      // In the same turn as the last look: nobody is given a promise that sees nothing any more.
      this.#running = undefined;
    }
  }
}
