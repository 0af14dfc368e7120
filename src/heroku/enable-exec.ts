import { EpmuxError } from '../protocol/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import { sleep } from '../runtime/wait.ts';
import type { Dyno } from './answers.ts';
import { formationOf } from './formation.ts';
import type { Platform } from './platform.ts';
import { sparedMs } from './retry.ts';

export interface EnableProgress {
  readonly step: 'enabling' | 'restarting' | 'waiting';
  /** New dynos that are up, of so many. */
  readonly up: number;
  readonly of: number;
}

export interface EnableOptions {
  readonly platform: Platform;
  readonly clock: Clock;
  readonly onProgress: (progress: EnableProgress) => void;
  /** For all new dynos to be up: 5 min unless told. */
  readonly limitMs?: number;
}

/**
 * Between the two changes, as the Heroku CLI does: a dyno that starts at once may not see the
 * feature yet.
 */
const SETTLE_MS = 2_000;
const LOOK_EVERY_MS = 2_000;
/** Boot limit of a dyno is 60 s; a restart of many, and of slow ones, takes longer. */
const LIMIT_MS = 300_000;

/**
 * A dyno that restarts is missing for a moment. One that is missing for longer, look after look,
 * was scaled down.
 */
const GONE_AFTER_LOOKS = 15;

/**
 * Switches Heroku Exec on: ALL dynos of the app restart, so a person has to have agreed. Resolves
 * when each is back that was not scaled down meanwhile. Throws what the calls throw, and says so
 * where Exec is on by then; DYNO_NOT_RUNNING when what is not back has crashed; TIMEOUT.
 */
export async function enableExec(options: EnableOptions, signal: AbortSignal): Promise<void> {
  const { platform, onProgress } = options;
  const before = runningDynos(await platform.dynos(signal));
  const of = before.length;
  onProgress({ step: 'enabling', up: 0, of });
  await switchOn(platform, signal);
  if (of === 0) return;

  onProgress({ step: 'restarting', up: 0, of });
  await restart(options, signal);
  await waitForDynos(options, before, signal);
}

async function switchOn(platform: Platform, signal: AbortSignal): Promise<void> {
  try {
    await platform.enableExec(signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    const { app } = platform;
    const hint = `\`heroku features -a ${app}\` shows it; where it is on, \`heroku ps:restart -a ${app}\` brings it to the dynos`;
    throw halfDone(error, `whether Heroku Exec is on for ${app} by now is not known`, hint);
  }
}

async function restart({ platform, clock }: EnableOptions, signal: AbortSignal): Promise<void> {
  try {
    await sleep(clock, SETTLE_MS, signal, 'waiting for the feature to settle');
    await platform.restartDynos(signal);
  } catch (error) {
    const { app } = platform;
    const hint = `\`heroku ps:restart -a ${app}\` restarts them`;
    throw halfDone(error, `Heroku Exec is on for ${app}, but its dynos were not restarted`, hint);
  }
}

async function waitForDynos(
  options: EnableOptions,
  before: readonly Dyno[],
  signal: AbortSignal,
): Promise<void> {
  const { platform, clock, onProgress, limitMs = LIMIT_MS } = options;
  const { app } = platform;
  const until = clock.now() + limitMs;
  const restarting = new RestartingDynos(before);
  const tell = (error: unknown): never => {
    const what = `Heroku Exec is on for ${app} and its dynos restart, but whether they are back is not known`;
    throw halfDone(error, what, stateHint(app));
  };
  for (;;) {
    const waitMs = await look(options, restarting, until, signal).catch(tell);
    const { up, of, crashed } = restarting;
    onProgress({ step: 'waiting', up, of });
    if (up >= of) return;
    if (up + crashed.length >= of) throw crashedAll(app, crashed);
    if (clock.now() >= until) {
      throw new EpmuxError(
        'TIMEOUT',
        `Heroku Exec is on, but only ${up} of ${of} dynos of ${app} came back within ${limitMs / 1_000} s`,
        { hint: stateHint(app) },
      );
    }
    await sleep(clock, waitMs, signal, 'waiting for the dynos to restart').catch(tell);
  }
}

/**
 * Gives the wait until the next one, also after one that Heroku could not answer; throws what
 * leaves none before `until`.
 */
async function look(
  { platform, clock }: EnableOptions,
  restarting: RestartingDynos,
  until: number,
  signal: AbortSignal,
): Promise<number> {
  try {
    restarting.onLook(await platform.dynos(signal));
    return LOOK_EVERY_MS;
  } catch (error) {
    if (!(error instanceof EpmuxError)) throw error;
    const waitMs = error.code === 'HEROKU_UNAVAILABLE' ? LOOK_EVERY_MS : sparedMs(error);
    if (waitMs === undefined || clock.now() + waitMs > until) throw error;
    return waitMs;
  }
}

/** What has become of those that ran before. */
class RestartingDynos {
  readonly #oldIds: ReadonlySet<string>;
  /** By name: in how many looks, up to the last one, there was none. */
  readonly #missing: Map<string, number>;
  #fresh: readonly Dyno[] = [];

  constructor(before: readonly Dyno[]) {
    this.#oldIds = new Set(before.map(({ id }) => id));
    this.#missing = new Map(before.map(({ name }) => [name, 0]));
  }

  onLook(dynos: readonly Dyno[]): void {
    const names = new Set(dynos.map(({ name }) => name));
    for (const [name, looks] of this.#missing) {
      this.#missing.set(name, names.has(name) ? 0 : looks + 1);
    }
    this.#fresh = dynos.filter(({ id, name }) => this.#missing.has(name) && !this.#oldIds.has(id));
  }

  /** Those that are waited for. */
  get of(): number {
    return [...this.#missing.values()].filter((looks) => looks < GONE_AFTER_LOOKS).length;
  }

  get up(): number {
    return this.#fresh.filter(isSettled).length;
  }

  get crashed(): readonly Dyno[] {
    return this.#fresh.filter(({ state }) => state === 'crashed');
  }
}

function runningDynos(dynos: readonly Dyno[]): Dyno[] {
  return formationOf(dynos, []).wanted.filter(
    (dyno) => dyno.state !== 'down' && dyno.state !== 'crashed',
  );
}

/** An idle dyno starts with its next request, not before. */
function isSettled(dyno: Dyno): boolean {
  return dyno.state === 'up' || dyno.state === 'idle';
}

function crashedAll(app: string, crashed: readonly Dyno[]): EpmuxError {
  const names = crashed.map((dyno) => dyno.name).join(', ');
  return new EpmuxError(
    'DYNO_NOT_RUNNING',
    `Heroku Exec is on, but ${names} of ${app} crashed after the restart`,
    { hint: `\`heroku logs -a ${app}\` says why` },
  );
}

function stateHint(app: string): string {
  return `\`heroku ps -a ${app}\` shows their state`;
}

/** `what`: how far it got. */
function halfDone(error: unknown, what: string, hint: string): unknown {
  if (!(error instanceof EpmuxError)) return error;
  return error.with({ message: `${what}: ${error.message}`, hint });
}
