import { Interrupts } from './interrupts.ts';
import { type ProcessIo, processIo } from './io.ts';
import { brokenOutput, flushed } from './output.ts';
import { asEpmuxError } from './report.ts';
import { reportFailure } from './report-failure.ts';

export interface Process {
  /** Ends it at once. */
  exit(code: number): void;
  /** Reports what nobody caught, and ends it. */
  fail(thrown: unknown): void;
}

/** Everything but the agent, the daemon and its supervisor: one command line, to its exit code. */
export async function runProgram(
  first: string | undefined,
  rest: readonly string[],
  { exit, fail }: Process,
): Promise<number> {
  const early = first === 'up' ? await import('./early-daemon.ts') : undefined;
  const earlyDaemon = early?.startEarly(rest, process.env);
  process.once('exit', () => earlyDaemon?.giveUp());
  const interrupts = new Interrupts();
  interrupts.listen();
  const io = processIo(earlyDaemon, interrupts);
  process.on('uncaughtException', fail);
  // The reader of our output is gone (`epmux nodes | head -1`): nothing is left to do, and nothing
  // went wrong.
  const broken = brokenOutput(() => exit(0));
  return Promise.race([broken, untilWritten(run(first, rest, io), io)]);
}

/** Tells the person what was thrown, and gives the exit code for it. */
export function reportThrown(thrown: unknown): number {
  return reportFailure(asEpmuxError(thrown), process.argv.slice(2), processIo());
}

async function run(
  first: string | undefined,
  rest: readonly string[],
  io: ProcessIo,
): Promise<number> {
  if (io.earlyDaemon !== undefined) {
    await (await import('./early-heroku.ts')).prepareForHeroku(rest, io);
  }
  if (first === '__complete') {
    return (await import('./completion/complete.ts')).printCompletions(rest, io);
  }
  return (await import('./run.ts')).runCommandLine(process.argv.slice(2), io);
}

async function untilWritten(running: Promise<number>, io: ProcessIo): Promise<number> {
  const code = await running;
  await flushed(AbortSignal.any([io.interrupted, io.outputGivenUp]));
  return io.interruptedExit ?? code;
}
