#!/usr/bin/env node
import { EpmuxError } from '../protocol/errors.ts';
import { Interrupts } from './interrupts.ts';
import { type ProcessIo, processIo } from './io.ts';
import { brokenOutput, flushed } from './output.ts';
import { asEpmuxError } from './report.ts';

const argv = process.argv.slice(2);

/** The agent, the daemon and its supervisor bring their own options and signals, and start without what only commands need. */
async function main(): Promise<number> {
  // There are no Unix sockets, signals, shells and terminals as it needs them.
  if (process.platform === 'win32') throw unsupported();
  const [first, ...rest] = argv;
  if (first === 'agent') return (await import('../agent/main.ts')).runAgent(rest, process.env);
  if (first === 'daemon') return (await import('../daemon/main.ts')).runDaemon(rest, process.env);
  if (first === 'supervisor') {
    return (await import('../daemon/supervisor/main.ts')).runSupervisor(rest, process.env);
  }
  return command(first, rest);
}

function unsupported(): EpmuxError {
  return new EpmuxError('UNSUPPORTED', 'epmux runs on macOS and Linux, not on Windows itself', {
    hint: 'install and run it inside WSL2',
  });
}

async function command(first: string | undefined, rest: readonly string[]): Promise<number> {
  const early = first === 'up' ? await import('./early-daemon.ts') : undefined;
  const earlyDaemon = early?.startEarly(rest, process.env);
  process.once('exit', () => earlyDaemon?.giveUp());
  const interrupts = new Interrupts();
  interrupts.listen();
  const io = processIo(earlyDaemon, interrupts);
  process.on('uncaughtException', (thrown) => void fail(thrown).then(exit));
  // The reader of our output is gone (`epmux nodes | head -1`): nothing is left to do, and nothing went wrong.
  const broken = brokenOutput(() => process.exit(0));
  return Promise.race([broken, untilWritten(run(first, rest, io), io)]);
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
  return (await import('./run.ts')).runCommandLine(argv, io);
}

async function untilWritten(running: Promise<number>, io: ProcessIo): Promise<number> {
  const code = await running;
  await flushed(AbortSignal.any([io.interrupted, io.outputGivenUp]));
  return io.interruptedExit ?? code;
}

/** Never rejects: that would be reported here again, for ever. */
async function fail(thrown: unknown): Promise<number> {
  try {
    return (await import('./run.ts')).reportFailure(asEpmuxError(thrown), argv, processIo());
  } catch (error) {
    const { message } = asEpmuxError(thrown);
    process.stderr.write(`epmux: ${message} (INTERNAL)\n`);
    process.stderr.write(`hint: install epmux again: ${asEpmuxError(error).message}\n`);
    return 1;
  }
}

function exit(code: number): void {
  process.exit(code);
}

main().catch(fail).then(exit);
