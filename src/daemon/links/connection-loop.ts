import { sparedMs } from '../../heroku/retry.ts';
import { EpmuxError, type ErrorCode } from '../../protocol/errors.ts';
import { Backoff } from '../../runtime/backoff.ts';
import type { Clock } from '../../runtime/clock.ts';
import { deferred, within } from '../../runtime/wait.ts';
import type { LinkState } from '../control/api.ts';
import type { DaemonLimits } from '../limits.ts';
import { LinkStateMachine } from './link-state.ts';

/**
 * A connection that held for less does not prove that the next will: the waits grow, within a small
 * bound.
 */
const HELD_MS = 1_000;
const FLAPPING_MAX_MS = 3_000;
/** One that held for so long and then broke the protocol may do so again as late. */
const LONG_HELD_MS = 60_000;

/**
 * An attempt that met silence for so long was hardly heard by anybody: the next one need not wait.
 */
const SILENT_MS = 5_000;
/** An outage of this length is no blip any more: waits grow whatever the reason. */
const LONG_OUTAGE_MS = 15 * 60_000;

/**
 * No wait is longer than this share of the outage so far, so that a short outage is not made much
 * longer by waiting.
 */
const WAIT_SHARE = 0.2;
const SHORT_WAIT_MS = 1_000;

/**
 * An attempt that runs for longer than this may hang on a path that is gone: a sign of a new path
 * begins another.
 */
const HANGING_MS = 2_000;
/**
 * Twice as long for each that is begun anew, up to this: a network that changes all the time leaves
 * an attempt the time that one takes on a slow path.
 */
const MAX_HANGING_MS = 15_000;

/** Errors that the next attempt would only repeat: a person is needed. */
const FATAL: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'SECRET_REFUSED',
  'SECRET_MISSING',
  'VERSION_MISMATCH',
  'UNSUPPORTED',
  'HOST_KEY_UNKNOWN',
  'HOST_KEY_MISMATCH',
  'SSH_AUTH_REFUSED',
  'SSH_KEY_UNUSABLE',
  'CONFIG_INVALID',
  'USAGE',
  'HEROKU_AUTH_MISSING',
  'HEROKU_AUTH_REFUSED',
  'HEROKU_FORBIDDEN',
  'APP_NOT_FOUND',
  'EXEC_DISABLED',
  'EXEC_UNSUPPORTED',
  'EXEC_NEEDS_BUILDPACK',
]);

export function isFatal(error: EpmuxError): boolean {
  return FATAL.has(error.code);
}

/**
 * Errors by which what was attached to shows that it does not speak the protocol: it will most
 * likely do so again.
 */
const BREACHES: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['PROTOCOL', 'UNSUPPORTED']);

export function isBreach(code: ErrorCode): boolean {
  return BREACHES.has(code);
}

/** A connection that stands. */
export interface Connection {
  /** Resolves, never rejects, once it is gone. */
  readonly lost: Promise<EpmuxError>;
}

export interface ConnectionLoopOptions {
  readonly clock: Clock;
  readonly attempt: (signal: AbortSignal) => Promise<Connection>;
  readonly onChange: (state: LinkState) => void;
  /** After each attempt that failed, and before the change of state that follows from it. */
  readonly onAttemptFailed: (error: EpmuxError) => void;
  readonly random?: () => number;
  /** `attemptMs`: for one whole attempt: carrier, pipe, handshake and attach. */
  readonly limits: Pick<DaemonLimits, 'attemptMs' | 'reconnectFirstMs' | 'reconnectMaxMs'>;
  /** An error that is fatal elsewhere may go by itself here, as things are. */
  readonly mayPass?: (error: EpmuxError) => boolean;
}

export function attemptError(error: unknown): EpmuxError {
  return EpmuxError.from(error, 'INTERNAL', 'a connection attempt failed');
}

/** Who looks at the status learns why nothing happens for so long. */
function withNextTry(error: EpmuxError, waitMs: number): EpmuxError {
  if (waitMs < FLAPPING_MAX_MS) return error;
  const next = `tried again after ${Math.round(waitMs / 1_000)} s`;
  return error.with({ message: `${error.message}; ${next}` });
}

interface Attempting {
  readonly abort: AbortController;
  readonly begunAt: number;
  superseded: boolean;
}

/**
 * Keeps one connection alive: attempts it, waits for its loss, attempts it again with jittered
 * waits, until closed.
 */
export class ConnectionLoop {
  readonly machine: LinkStateMachine;
  readonly #options: ConnectionLoopOptions;
  readonly #failures: Backoff;
  readonly #flapping: Backoff;
  readonly #breaches: Backoff;
  readonly #attemptMs: number;
  readonly #firstMs: number;
  #running: Promise<void> | undefined;
  #closed = false;
  #wasUp = false;
  #downSince: number;
  #hangingMs = HANGING_MS;
  #attempting: Attempting | undefined;
  #again: () => void = () => undefined;
  #leaveUp: () => void = () => undefined;

  constructor(options: ConnectionLoopOptions) {
    this.#options = options;
    this.machine = new LinkStateMachine(options.clock);
    this.#downSince = options.clock.now();
    const random = options.random ?? Math.random;
    const { attemptMs, reconnectFirstMs, reconnectMaxMs } = options.limits;
    this.#attemptMs = attemptMs;
    this.#firstMs = reconnectFirstMs;
    const waits = { random, firstMs: reconnectFirstMs, maxMs: reconnectMaxMs };
    this.#failures = new Backoff(waits);
    this.#breaches = new Backoff(waits);
    const flappingMaxMs = Math.max(reconnectFirstMs, Math.min(FLAPPING_MAX_MS, reconnectMaxMs));
    this.#flapping = new Backoff({ ...waits, maxMs: flappingMaxMs });
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /**
   * There is a sign that an attempt may hold now: attempts at once, also after `failed`. One that
   * has only just begun goes on, the longer the more have been begun anew, unless it does so with
   * other credentials (`isOutdated`).
   */
  again(isOutdated = false): void {
    this.#failures.reset();
    this.#again();
    const attempting = this.#attempting;
    if (attempting === undefined) return;
    const isYoung = this.#options.clock.now() - attempting.begunAt < this.#hangingMs;
    if (isYoung && !isOutdated) return;
    this.#hangingMs = Math.min(2 * this.#hangingMs, MAX_HANGING_MS);
    attempting.superseded = true;
    attempting.abort.abort(new EpmuxError('INTERRUPTED', 'the attempt was begun anew'));
  }

  /** Idempotent; resolves when no attempt runs any more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#attempting?.abort.abort(new EpmuxError('INTERRUPTED', 'the tunnel is taken down'));
    this.#leaveUp();
    this.#again();
    if (this.#running === undefined) this.#enter('down');
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      const begunAt = this.#options.clock.now();
      const attempting = { abort: new AbortController(), begunAt, superseded: false };
      const outcome = await this.#attemptOnce(attempting);
      if (this.#closed) break;
      const hasFailed = outcome instanceof EpmuxError;
      if (hasFailed && attempting.superseded) continue;
      this.#hangingMs = HANGING_MS;
      if (hasFailed) await this.#afterFailure(outcome, begunAt);
      else await this.#whileUp(outcome);
    }
    this.#enter('down');
  }

  async #attemptOnce(attempting: Attempting): Promise<Connection | EpmuxError> {
    const { clock, attempt } = this.#options;
    const { abort, begunAt } = attempting;
    this.#attempting = attempting;
    const late = new EpmuxError('TIMEOUT', `no connection within ${this.#attemptMs / 1_000} s`);
    const cancel = clock.wakeAt(begunAt + this.#attemptMs, () => abort.abort(late));
    try {
      return await attempt(abort.signal);
    } catch (error) {
      return attemptError(error);
    } finally {
      cancel();
      this.#attempting = undefined;
    }
  }

  async #whileUp(connection: Connection): Promise<void> {
    const { clock } = this.#options;
    const upAt = clock.now();
    this.#failures.reset();
    this.#wasUp = true;
    this.#enter('up');
    const left = deferred<undefined>();
    this.#leaveUp = () => left.resolve(undefined);
    const error = await Promise.race([connection.lost, left.promise]);
    if (error === undefined || this.#closed) return;
    this.#downSince = clock.now();
    const waitMs = this.#waitAfterLoss(error, clock.now() - upAt);
    this.machine.failedWith(isBreach(error.code) ? withNextTry(error, waitMs) : error);
    this.#enter('reconnecting');
    await this.#wait(waitMs);
  }

  #waitAfterLoss({ code }: EpmuxError, heldMs: number): number {
    if (heldMs >= (isBreach(code) ? LONG_HELD_MS : HELD_MS)) this.#breaches.reset();
    if (isBreach(code)) return this.#breaches.nextMs();
    if (heldMs >= HELD_MS) this.#flapping.reset();
    return this.#flapping.nextMs();
  }

  async #afterFailure(error: EpmuxError, begunAt: number): Promise<void> {
    const tookMs = this.#options.clock.now() - begunAt;
    const restMs = sparedMs(error);
    this.machine.failedWith(restMs === undefined ? error : withNextTry(error, restMs));
    this.#options.onAttemptFailed(error);
    if (!isFatal(error) || this.#options.mayPass?.(error) === true) {
      await this.#wait(restMs ?? this.#waitAfter(error, tookMs));
      return;
    }
    this.#enter('failed');
    await this.#wait(Number.POSITIVE_INFINITY);
    if (!this.#closed) this.#enter(this.#wasUp ? 'reconnecting' : 'connecting');
  }

  #waitAfter(error: EpmuxError, tookMs: number): number {
    // The way is there, and whoever shall answer at its end is likely to be on its way back.
    if (error.code === 'AGENT_MISSING') return this.#flapping.nextMs();
    const outageMs = this.#options.clock.now() - this.#downSince;
    if (this.#wasUp && tookMs >= SILENT_MS && outageMs < LONG_OUTAGE_MS) return 0;
    const most = Math.max(SHORT_WAIT_MS, this.#firstMs, outageMs * WAIT_SHARE);
    return Math.min(most, this.#failures.nextMs());
  }

  /** Ends early on `again` and `close`. */
  async #wait(ms: number): Promise<void> {
    if (this.#closed) return;
    const again = deferred();
    this.#again = again.resolve;
    await (Number.isFinite(ms) ? within(this.#options.clock, ms, again.promise) : again.promise);
  }

  #enter(state: LinkState): void {
    if (this.machine.enter(state)) this.#options.onChange(state);
  }
}
