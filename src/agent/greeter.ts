import { EpmuxError } from '../protocol/errors.ts';
import type { HelloAttributes } from '../protocol/hello.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { type OpenedAgentPipe, openAgentPipe } from '../runtime/open-session-pipe.ts';
import type { BytePipe } from '../runtime/pipe.ts';
import type { AgentLimits } from './limits.ts';

/** At most one warning of refused pipes in so long. */
export const WARN_EVERY_MS = 10_000;

export interface GreeterOptions {
  readonly secret: Uint8Array;
  readonly about: HelloAttributes;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onOpened: (opened: OpenedAgentPipe) => void;
  readonly limits: Pick<AgentLimits, 'helloMs'>;
}

/**
 * Lets in whoever proves to know the secret. How many may try at once is the business of who
 * listens (`Connections`).
 */
export class Greeter {
  readonly #options: GreeterOptions;
  readonly #waiting = new Set<AbortController>();
  #warnAgainAt = Number.NEGATIVE_INFINITY;
  #unwarned = 0;

  constructor(options: GreeterOptions) {
    this.#options = options;
  }

  /** Takes the pipe over. Undefined: it has been let in; else why not, and the pipe is closed. */
  async greet(pipe: BytePipe): Promise<EpmuxError | undefined> {
    const { secret, about, clock, onOpened, limits } = this.#options;
    const helloTimeoutMs = limits.helloMs;
    const waiting = new AbortController();
    this.#waiting.add(waiting);
    try {
      const { signal } = waiting;
      onOpened(await openAgentPipe(pipe, { ...about, secret, clock, signal, helloTimeoutMs }));
      return undefined;
    } catch (error) {
      if (!(error instanceof EpmuxError)) throw error;
      this.#refused(pipe.label, error);
      return error;
    } finally {
      this.#waiting.delete(waiting);
    }
  }

  close(): void {
    for (const waiting of this.#waiting) waiting.abort();
  }

  /** What a person has to know is a warning; a port scanner's garbage is not. */
  #refused(from: string, error: EpmuxError): void {
    const fields = { from, why: error.message, code: error.code };
    if (error.code !== 'SECRET_REFUSED' && error.code !== 'VERSION_MISMATCH') {
      this.#options.log.debug('a connection is refused', fields);
      return;
    }
    const now = this.#options.clock.now();
    if (now < this.#warnAgainAt) {
      this.#unwarned += 1;
      return;
    }
    const alsoRefused = this.#unwarned > 0 ? this.#unwarned : undefined;
    this.#options.log.warn('a connection is refused', { ...fields, alsoRefused });
    this.#warnAgainAt = now + WARN_EVERY_MS;
    this.#unwarned = 0;
  }
}
