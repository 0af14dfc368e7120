import { EpmuxError, Exit, type ExitCode } from '../protocol/errors.ts';
import { Cleanup } from './cleanup.ts';
import { Show, type ShowIo } from './show.ts';
import { perform } from './steps.ts';

const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface DemoOptions {
  /** Leave it running, after the show, until a signal comes. */
  readonly keep: boolean;
  /** Print one JSON document instead of lines. */
  readonly json?: boolean;
  /** How this program runs itself: node, its options and the main script. */
  readonly self?: readonly [string, ...string[]];
  readonly io: ShowIo;
}

/**
 * The whole of epmux on this machine: a Heroku app of three dynos, a tunnel to them, a call, a cut
 * in the middle of it, a restart. Everything it starts and writes is gone when it returns, whatever
 * happened; SIGINT, SIGTERM and SIGHUP are its own meanwhile. Gives the exit code; fails with the
 * error of the step that failed, with INTERRUPTED after a signal.
 */
export async function runDemo({
  keep,
  json = false,
  self = [process.execPath, ...process.execArgv, process.argv[1] ?? ''],
  io,
}: DemoOptions): Promise<ExitCode> {
  const show = new Show(io, json);
  const cleanup = new Cleanup();
  const signals = catchSignals();
  const { interrupted } = signals;
  show.begin();
  try {
    await perform({ show, cleanup, interrupted, self, keep });
    await show.step(
      'tidied up',
      () => cleanup.run(),
      () => ({ detail: 'nothing is left behind' }),
    );
  } catch (error) {
    await cleanup.run().catch((failure: Error) => show.line(failure.message));
    throw interrupted.aborted ? new EpmuxError('INTERRUPTED', 'interrupted') : error;
  } finally {
    signals.release();
  }
  show.end();
  return Exit.done;
}

function catchSignals(): { readonly interrupted: AbortSignal; release(): void } {
  const controller = new AbortController();
  const onSignal = (): void => controller.abort();
  for (const signal of ENDING_SIGNALS) process.on(signal, onSignal);
  return {
    interrupted: controller.signal,
    release() {
      for (const signal of ENDING_SIGNALS) process.off(signal, onSignal);
    },
  };
}
