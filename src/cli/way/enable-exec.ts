import type { TunnelSpec } from '../../daemon/control/api.ts';
import type { EnableProgress } from '../../heroku/enable-exec.ts';
import { EpmuxError } from '../../protocol/errors.ts';
import { systemClock } from '../../runtime/clock.ts';
import { silentLogger } from '../../runtime/logger.ts';
import type { Io } from '../io.ts';
import { askYesNo } from '../terminal/ask.ts';
import { createSteps } from '../terminal/steps.ts';

const STEPS = {
  enabling: () => 'enabling Heroku Exec',
  restarting: () => 'restarting all dynos',
  waiting: ({ up, of }) => `waiting for the dynos: ${up} of ${of} are back`,
} as const satisfies Record<EnableProgress['step'], (progress: EnableProgress) => string>;

/**
 * Does the work; when Heroku Exec is off for its app, enables that and does it again. All dynos
 * restart by that, so a person has to agree, or to have said `--yes`: otherwise EXEC_DISABLED stays
 * and nothing is changed.
 */
export async function withExecEnabled<T>(
  { way, via }: Pick<TunnelSpec, 'way' | 'via'>,
  yes: boolean,
  io: Io,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (way.kind !== 'heroku' || !EpmuxError.is(error, 'EXEC_DISABLED')) {
      throw error;
    }
    if (!(yes || (await agrees(way.app, io)))) throw error;
    await enable(way.app, via, io);
    return work();
  }
}

async function agrees(app: string, io: Io): Promise<boolean> {
  if (!io.interactive) return false;
  io.talk(`Heroku Exec is off for ${app}. To enable it, ALL its dynos are restarted.`);
  return askYesNo('Enable it and restart them now?', io.interrupted);
}

async function enable(app: string, via: string | undefined, io: Io): Promise<void> {
  const { enableExec } = await import('../../heroku/enable-exec.ts');
  const { callersHeroku } = await import('./heroku-client.ts');
  const { platform } = callersHeroku(app, via, io, silentLogger);
  const steps = createSteps(io);
  let last = '';
  const onProgress = (progress: EnableProgress): void => {
    const step = STEPS[progress.step](progress);
    if (step !== last) steps.begin(step);
    last = step;
  };
  try {
    await io.heededBy(enableExec({ platform, clock: systemClock, onProgress }, io.interrupted));
    steps.finish();
  } catch (error) {
    steps.fail();
    throw error;
  }
}
