import { constants } from 'node:os';

/** They end a command from outside. */
const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/**
 * While they are held the holder's own listeners are the only ones: without any the process ends at
 * once, as by default.
 */
const LEFT_TO_HOLDER = ['SIGTERM', 'SIGHUP'] as const;

/** The signals that end a command, unless somebody holds them. */
export class Interrupts {
  readonly #controller = new AbortController();
  readonly #onSignal = (name: NodeJS.Signals): void => {
    if (this.#holders > 0) return;
    this.#exitCode ??= 128 + constants.signals[name];
    this.#controller.abort();
  };
  readonly #heeding = new Set<Promise<unknown>>();
  #holders = 0;
  #exitCode: number | undefined;

  /** Aborted at the first one. */
  get interrupted(): AbortSignal {
    return this.#controller.signal;
  }

  /** 128+n of the first one; undefined: none has come. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  listen(): void {
    for (const name of ENDING) process.on(name, this.#onSignal);
  }

  /**
   * An interrupt does not end the command before this work is over, which heeds `interrupted`
   * itself and says how far it got.
   */
  async heededBy<T>(work: Promise<T>): Promise<T> {
    this.#heeding.add(work);
    try {
      return await work;
    } finally {
      this.#heeding.delete(work);
    }
  }

  /** Resolves when no such work is on its way. */
  async heeded(): Promise<void> {
    await Promise.allSettled(this.#heeding);
  }

  /**
   * From here until the returned function is called they are the caller's, or its child's, to deal
   * with.
   */
  hold(): () => void {
    this.#holders += 1;
    if (this.#holders === 1) for (const name of LEFT_TO_HOLDER) process.off(name, this.#onSignal);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#holders -= 1;
      if (this.#holders === 0) for (const name of LEFT_TO_HOLDER) process.on(name, this.#onSignal);
    };
  }
}
