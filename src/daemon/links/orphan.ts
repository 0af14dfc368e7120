import { hostname } from 'node:os';
import { encodeFrame } from '../../protocol/encode.ts';
import { EpmuxError } from '../../protocol/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import { openDaemonPipe } from '../../runtime/open-session-pipe.ts';
import type { BytePipe } from '../../runtime/pipe.ts';
import { SOFTWARE } from '../../runtime/version.ts';
import { deferred, within } from '../../runtime/wait.ts';

/**
 * No session gets there: an agent that is asked to resume one at it ends that session
 * (docs/protocol.md, 3.4).
 */
const NO_POSITION = Number.MAX_SAFE_INTEGER;
const HELLO_TIMEOUT_MS = 5_000;
const ANSWER_MS = 2_000;
/** Who answers so is not the agent that had the session. */
const NOT_ITS_AGENT = ['AGENT_MISSING', 'NOT_AN_AGENT', 'SECRET_REFUSED'] as const;

export interface OrphansOptions {
  readonly sessions: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Sessions of earlier workers, of which no more is known than their ids: the agent would keep them,
 * and their streams, for their grace.
 */
export class Orphans {
  readonly #options: OrphansOptions;
  readonly #left: Set<string>;
  #busy = false;

  constructor(options: OrphansOptions) {
    this.#options = options;
    this.#left = new Set(options.sessions);
  }

  /** 32 hexadecimal digits each. */
  get left(): readonly string[] {
    return [...this.#left];
  }

  /**
   * Ends them one by one, each on a pipe of its own. Never rejects: those that could not be ended
   * are left for the next call.
   */
  async end(open: () => Promise<BytePipe>, secret: string): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    const { clock, logger } = this.#options;
    try {
      for (const session of this.#left) {
        await endOrphan(await open(), session, secret, clock);
        this.#left.delete(session);
        logger.info('a session from before the crash is ended');
      }
    } catch (error) {
      if (!(error instanceof EpmuxError)) throw error;
      if (EpmuxError.is(error, ...NOT_ITS_AGENT)) this.#left.clear();
      logger.info('a session from before the crash may go on for its grace', {
        code: error.code,
        reason: error.message,
      });
    } finally {
      this.#busy = false;
    }
  }
}

/**
 * Resolves when the agent has answered, or after a bound. Takes the pipe over. Fails as
 * `openDaemonPipe` does.
 */
async function endOrphan(
  pipe: BytePipe,
  sessionId: string,
  secret: string,
  clock: Clock,
): Promise<void> {
  const opened = await openDaemonPipe(pipe, {
    secret: Buffer.from(secret, 'utf8'),
    clock,
    software: SOFTWARE,
    hostName: hostname(),
    helloTimeoutMs: HELLO_TIMEOUT_MS,
    attach: () => encodeFrame({ type: 'ATTACH', kind: 'resume', sessionId, received: NO_POSITION }),
  });
  const answered = deferred();
  const done = () => answered.resolve();
  opened.pipe.start({ onBytes: done, onWritable: () => {}, onEnd: done, onClosed: done });
  if (opened.rest.length > 0) done();
  await within(clock, ANSWER_MS, answered.promise);
  opened.pipe.close();
}
