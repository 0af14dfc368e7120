import type { Dyno } from '../heroku/answers.ts';
import { besideDynos } from '../heroku/beside-dynos.ts';
import { formationOf, requireRunning } from '../heroku/formation.ts';
import { sparedMs } from '../heroku/retry.ts';
import { EpmuxError } from '../protocol/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { deferred } from '../runtime/wait.ts';
import type { Transport } from '../transport/transport.ts';
import type { ErrorStatus, LinkState } from './control/api.ts';
import type { Dynos, DynosHandlers, WantedDyno } from './dynos.ts';
import type { FormationApp } from './formation-app.ts';
import {
  attemptError,
  type Connection,
  ConnectionLoop,
  type ConnectionLoopOptions,
  isFatal,
} from './links/connection-loop.ts';
import { LookNews } from './look-news.ts';
import { LookPace } from './look-pace.ts';

/** After a look that was refused. */
const REFUSED_MS = 60_000;

/** Exec may be turned off under a tunnel: while no link is up it is looked at so often. */
const CHECK_MS = 60_000;

export interface FormationOptions {
  readonly app: FormationApp;
  readonly selectors: readonly string[];
  readonly limits: ConnectionLoopOptions['limits'];
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * The dynos of a Heroku app that a tunnel leads to: asked of Heroku now and then, more often after
 * a link was lost or a dyno was seen not up, one call for all of them.
 *
 *     connecting ──app and dynos are fine──▶ up: looks, now and then
 *         │  ▲                               │
 *       fatal └── again ── failed ◀── fatal, and no link is up
 */
export class Formation implements Dynos {
  readonly target: string;
  readonly #options: FormationOptions;
  readonly #loop: ConnectionLoop;
  readonly #closing = new AbortController();
  #handlers: DynosHandlers | undefined;
  #begun = false;
  #looks = false;
  #looking = false;
  #lookAgain = false;
  readonly #pace: LookPace;
  /** When it was last asked whether Exec leads into the app. */
  #checkedAt = Number.NEGATIVE_INFINITY;
  readonly #news: LookNews;
  #seen: ReadonlyMap<string, string> = new Map();
  #cancel: () => void = () => undefined;
  #lose: (error: EpmuxError) => void = () => undefined;

  constructor(options: FormationOptions) {
    const { app, selectors, limits, clock } = options;
    this.#options = options;
    this.#pace = new LookPace(clock);
    this.#news = new LookNews(clock);
    this.target = `heroku://${app.name}${selectors.length === 0 ? '' : `/${selectors.join(',')}`}`;
    this.#loop = new ConnectionLoop({
      clock,
      limits,
      attempt: (signal) => this.#tryToBegin(signal),
      onChange: (state) => this.#handlers?.onChange(state),
      onAttemptFailed: (error) => this.#handlers?.onAttemptFailed(error),
    });
  }

  get state(): LinkState {
    return this.#loop.machine.state;
  }

  get lastError(): ErrorStatus | null {
    return this.#loop.machine.lastErrorStatus;
  }

  start(handlers: DynosHandlers, isBack: boolean): void {
    this.#handlers ??= handlers;
    this.#begun ||= isBack;
    this.#loop.start();
  }

  /** To this very dyno: after a loss it waits to hear that no other one has its name now. */
  transport(dyno: WantedDyno): Transport {
    const { target, connect } = this.#options.app.transport(dyno.name ?? '');
    return {
      target,
      connect: async (signal, first) => {
        await this.#confirm(dyno);
        return connect(signal, first);
      },
    };
  }

  variables(): Promise<Readonly<Record<string, string>>> {
    return this.#options.app.variables(this.#closing.signal);
  }

  again(hasNewSecrets = false): void {
    if (this.#handlers?.isAnyUp() === false) {
      this.#checkedAt = Number.NEGATIVE_INFINITY;
      // Links are not tried before that is known.
      this.#news.setObstacle(undefined);
      this.#news.outdate();
    }
    this.#lookAnew(hasNewSecrets);
  }

  onSurroundingsChanged(): void {
    this.#lookAnew(false);
  }

  #lookAnew(hasNewSecrets: boolean): void {
    this.#pace.hurry();
    if (this.#looks) this.#lookSoon();
    else this.#loop.again(hasNewSecrets);
  }

  onLinkLost(): void {
    this.#news.outdate();
    this.#pace.onTrouble();
    this.#lookSoon();
  }

  async close(): Promise<void> {
    this.#stopLooking();
    this.#closing.abort(new EpmuxError('INTERRUPTED', 'the tunnel is taken down'));
    await this.#loop.close();
  }

  async #tryToBegin(signal: AbortSignal): Promise<Connection> {
    try {
      return await this.#begin(signal);
    } catch (error) {
      const refusal = attemptError(error);
      if (isFatal(refusal)) this.#news.setObstacle(refusal);
      throw error;
    } finally {
      this.#news.onLooked(this.#pace.lookedAt);
    }
  }

  async #begin(signal: AbortSignal): Promise<Connection> {
    const { app, clock, logger } = this.#options;
    this.#handlers?.onStep(`asking Heroku about ${app.name}`);
    this.#pace.onLook();
    const check = () => app.check(signal);
    const [warnings, dynos] = await besideDynos(check, (needed) => app.dynos(needed), signal);
    for (const warning of warnings) {
      logger.warn(warning);
      this.#handlers?.onStep(warning);
    }
    this.#news.onTold(this.#pace.lookedAt);
    this.#news.setObstacle(undefined);
    this.#checkedAt = this.#pace.lookedAt;
    this.#requireRunning(dynos);
    this.#begun = true;
    this.#looks = true;
    const lost = deferred<EpmuxError>();
    this.#lose = (error) => {
      this.#stopLooking();
      lost.resolve(error);
    };
    this.#take(dynos);
    this.#lookAt(clock.now() + this.#pace.waitMs);
    return { lost: lost.promise };
  }

  /**
   * At the beginning somebody looks on: a selector that fits nothing, or no dyno up, is an error
   * then. Later both may come and go, and it is only noted.
   */
  #requireRunning(dynos: readonly Dyno[]): void {
    const { app, selectors } = this.#options;
    try {
      requireRunning(app.name, dynos, selectors);
    } catch (error) {
      if (!this.#begun) throw error;
      this.#loop.machine.failedWith(attemptError(error));
    }
  }

  #stopLooking(): void {
    this.#looks = false;
    this.#cancel();
  }

  #lookSoon(): void {
    this.#lookAgain = this.#looking;
    if (!this.#looking) this.#lookAt(this.#options.clock.now());
  }

  #lookAt(at: number): void {
    this.#cancel();
    if (!this.#looks) return;
    this.#cancel = this.#options.clock.wakeAt(this.#pace.from(at), () => void this.#look());
  }

  async #look(): Promise<void> {
    const { clock } = this.#options;
    this.#looking = true;
    this.#pace.onLook();
    const { lookedAt } = this.#pace;
    let waitMs: number;
    try {
      const dynos = await this.#askDynos();
      this.#news.onTold(lookedAt);
      if (this.#looks) this.#take(dynos);
      waitMs = this.#pace.waitMs;
    } catch (error) {
      waitMs = this.#afterFailure(attemptError(error));
    } finally {
      this.#looking = false;
    }
    this.#news.onLooked(lookedAt);
    this.#lookAt(this.#lookAgain ? clock.now() : lookedAt + waitMs);
    this.#lookAgain = false;
  }

  async #askDynos(): Promise<readonly Dyno[]> {
    const { app, clock } = this.#options;
    const { signal } = this.#closing;
    const isCheckDue = clock.now() - this.#checkedAt >= CHECK_MS;
    if (!isCheckDue || this.#handlers?.isAnyUp() !== false) return app.dynos(signal);
    this.#checkedAt = this.#pace.lookedAt;
    const check = () => app.check(signal);
    const [, dynos] = await besideDynos(check, (needed) => app.dynos(needed), signal);
    return dynos;
  }

  async #confirm({ id, name }: WantedDyno): Promise<void> {
    const isTold = await this.#news.isTold(() => {
      if (!this.#looking) this.#lookSoon();
    });
    if (!isTold || this.#seen.has(id)) return;
    throw new EpmuxError('DYNO_RESTARTED', `${name} is another dyno now, or gone`);
  }

  #afterFailure(error: EpmuxError): number {
    if (!this.#looks) return REFUSED_MS;
    const { logger, app } = this.#options;
    logger.warn(`the dynos of ${app.name} can not be asked for`, {
      code: error.code,
      reason: error.message,
    });
    if (isFatal(error) && this.#handlers?.isAnyUp() !== true) {
      this.#news.setObstacle(error);
      this.#lose(error);
      return REFUSED_MS;
    }
    this.#loop.machine.failedWith(error);
    this.#handlers?.onLookFailed(error);
    if (isFatal(error)) return REFUSED_MS;
    const restMs = sparedMs(error);
    if (restMs === undefined) return this.#pace.waitAfterFailureMs;
    this.#pace.spare(restMs);
    return restMs;
  }

  #take(dynos: readonly Dyno[]): void {
    const { wanted } = formationOf(dynos, this.#options.selectors);
    const isNewTrouble = wanted.some(
      ({ id, isUp, state }) => !isUp && this.#seen.get(id) !== state,
    );
    this.#seen = new Map(wanted.map(({ id, state }) => [id, state]));
    if (isNewTrouble) this.#pace.onTrouble();
    this.#handlers?.onDynos(wanted.map(({ id, name, state }) => ({ id, name, state })));
  }
}
