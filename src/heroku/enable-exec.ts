import { EpmuxError } from '../protocol/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Dyno } from './answers.ts';
import { formationOf } from './formation.ts';
import { pause } from './pause.ts';
import type { Platform } from './platform.ts';

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
  readonly limitMs?: number;
}

/** Between the two changes, as the Heroku CLI does: a dyno that starts at once may not see the feature yet. */
const SETTLE_MS = 2_000;
const LOOK_EVERY_MS = 2_000;
/** Boot limit of a dyno is 60 s; a restart of many, and of slow ones, takes longer. */
const LIMIT_MS = 300_000;

/**
 * Switches Heroku Exec on: ALL dynos of the app restart, so a person has to have agreed. Resolves when each is back. Throws what the calls
 * throw; DYNO_NOT_RUNNING when what is not back has crashed; TIMEOUT.
 */
export async function enableExec(options: EnableOptions, signal: AbortSignal): Promise<void> {
  const { platform, clock, onProgress } = options;
  const before = runningDynos(await platform.dynos(signal));
  const of = before.length;
  onProgress({ step: 'enabling', up: 0, of });
  await platform.enableExec(signal);
  if (of === 0) return;

  onProgress({ step: 'restarting', up: 0, of });
  await pause(SETTLE_MS, 'the feature to settle', clock, signal);
  await platform.restartDynos(signal).catch((error: unknown) => {
    throw halfDone(error, platform.app);
  });
  await waitForDynos(options, before, signal);
}

async function waitForDynos(
  { platform, clock, onProgress, limitMs = LIMIT_MS }: EnableOptions,
  before: readonly Dyno[],
  signal: AbortSignal,
): Promise<void> {
  const until = clock.now() + limitMs;
  const names = before.map((dyno) => dyno.name);
  const oldIds = new Set(before.map((dyno) => dyno.id));
  const of = names.length;
  for (;;) {
    const fresh = (await platform.dynos(signal)).filter(
      (dyno) => names.includes(dyno.name) && !oldIds.has(dyno.id),
    );
    const up = fresh.filter(isSettled).length;
    onProgress({ step: 'waiting', up, of });
    if (up >= of) return;
    const crashed = fresh.filter((dyno) => dyno.state === 'crashed');
    if (up + crashed.length >= of) throw crashedAll(platform.app, crashed);
    if (clock.now() >= until) {
      throw new EpmuxError(
        'TIMEOUT',
        `Heroku Exec is on, but only ${up} of ${of} dynos of ${platform.app} came back within ${limitMs / 1_000} s`,
        { hint: `\`heroku ps -a ${platform.app}\` shows their state` },
      );
    }
    await pause(LOOK_EVERY_MS, 'the dynos to restart', clock, signal);
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

function halfDone(error: unknown, app: string): unknown {
  if (!(error instanceof EpmuxError)) return error;
  return new EpmuxError(
    error.code,
    `Heroku Exec is on for ${app}, but its dynos were not restarted: ${error.message}`,
    { cause: error, hint: `\`heroku ps:restart -a ${app}\` restarts them` },
  );
}
