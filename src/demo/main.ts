import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { EpmuxError, Exit, type ExitCode } from '../protocol/errors.ts';
import { type Caller, slowPing } from './caller.ts';
import { Cleanup } from './cleanup.ts';
import { DYNO_USER, type Dyno, startDyno } from './dyno.ts';
import { type DemoFolder, makeFolder } from './folder.ts';
import { startGuest } from './guest.ts';
import { makeKeyPair } from './keys.ts';
import { type Laptop, startLaptop } from './laptop.ts';
import { LOOPBACK } from './loopback.ts';
import { type DemoNode, startNode } from './node.ts';
import { Show, type ShowIo } from './show.ts';

const NODE_NAME = 'my_app@dyno';
const CALL_MS = 2_000;
/** So long into the call the connection is cut. */
const CUT_AFTER_MS = 500;
const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface DemoOptions {
  /** Leave it running, after the show, until a signal comes. */
  readonly keep: boolean;
  /** Print one JSON document instead of lines. */
  readonly json?: boolean;
  /** Do without this machine's Erlang. */
  readonly standIn?: boolean;
  /** How this program runs itself: node, its options and the main script. */
  readonly self?: readonly [string, ...string[]];
  readonly io: ShowIo;
}

/**
 * The whole of epmux on this machine: an embedded dyno, a tunnel over SSH, a call, a cut in the middle of it. Everything it starts and writes is gone
 * when it returns, whatever happened; SIGINT, SIGTERM and SIGHUP are its own meanwhile. Gives the exit code; fails with the first step's error that
 * did, with INTERRUPTED after a signal.
 */
export async function runDemo(options: DemoOptions): Promise<ExitCode> {
  const show = new Show(options.io, options.json === true);
  const cleanup = new Cleanup();
  const signals = catchSignals();
  const self = options.self ?? [process.execPath, ...process.execArgv, process.argv[1] ?? ''];
  const { interrupted } = signals;
  show.begin();
  try {
    await perform({ ...options, show, cleanup, interrupted, self });
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

interface Stage extends DemoOptions {
  readonly show: Show;
  readonly cleanup: Cleanup;
  readonly interrupted: AbortSignal;
  readonly self: readonly [string, ...string[]];
}

async function perform(stage: Stage): Promise<void> {
  const { show } = stage;
  const folder = await makeFolder(stage.keep, stage.cleanup);
  const { node, dyno, secret, keys } = await buildDyno(stage, folder);
  const { laptopHome: home, epmuxHome } = folder;
  const { knownHostsLine, sshPort } = dyno;
  const laptop = await show.step(
    'daemon',
    () => startLaptop({ ...stage, ...keys, home, epmuxHome, knownHostsLine }),
    () => ({ detail: 'a process of its own, answers on its control socket' }),
  );
  const leading = await show.step(
    'tunnel up',
    () => laptop.up(dyno, { secret }),
    () => ({ detail: `ssh://${DYNO_USER}@${LOOPBACK}:${sshPort}, through it to the agent` }),
  );
  await show.step(
    'nodes',
    () => laptop.node(NODE_NAME),
    ({ address, port }) => ({ detail: `${NODE_NAME} at ${address}:${port}` }),
  );
  await ping(show, laptop);
  const caller =
    node.kind === 'stand-in'
      ? slowPing(node.standIn, laptop, stage.interrupted)
      : await show.step(
          'local node',
          () => startGuest(node.erlang, leading, { ...stage, home, name: NODE_NAME }),
          () => ({ detail: 'me@laptop is connected: hidden, with a cookie of its own' }),
        );
  await cutInTheMiddle(stage, dyno, laptop, caller);
  await ping(show, laptop);
  if (stage.keep) await keep(stage, folder);
}

async function buildDyno(stage: Stage, folder: DemoFolder) {
  const { show } = stage;
  const { dynoHome: home, dynoCookie: cookie } = folder;
  const node = await show.step(
    'node',
    () => startNode({ ...stage, home, cookie, name: NODE_NAME }, stage.standIn === true),
    (started) => ({ detail: `${NODE_NAME}, ${describeNode(started)}` }),
  );
  const keys = makeKeyPair();
  const secret = randomBytes(32).toString('base64url');
  const { epmdPort } = node;
  const dyno = await show.step(
    'dyno',
    () => startDyno({ ...stage, home, secret, epmdPort, publicKey: keys.publicKey }),
    ({ agentPort, sshPort }) => ({
      detail: `the agent on port ${agentPort}, an SSH server on ${sshPort}`,
    }),
  );
  return { node, dyno, secret, keys };
}

function describeNode(node: DemoNode): string {
  if (node.kind === 'stand-in') return 'a stand-in: no Erlang on this machine';
  const { release, elixir } = node.erlang;
  const language = elixir === undefined ? '' : `, Elixir ${elixir.version}`;
  return `a real one: Erlang/OTP ${release}${language}`;
}

async function ping(show: Show, laptop: Laptop): Promise<void> {
  await show.step(
    'ping',
    () => laptop.ping(),
    (rttMs) => ({ detail: `pong from ${NODE_NAME}`, figureMs: rttMs }),
  );
}

async function cutInTheMiddle(
  { show, interrupted }: Stage,
  dyno: Dyno,
  laptop: Laptop,
  caller: Caller,
): Promise<void> {
  const { resumes } = await laptop.link();
  const start = performance.now();
  await caller.begin(CALL_MS);
  show.tell('call', `${caller.describe(CALL_MS)} is on its way`);
  await delay(CUT_AFTER_MS, undefined, { signal: interrupted });
  const cut = dyno.cut();
  if (cut === 0) throw new EpmuxError('DEMO_FAILED', 'there was no SSH connection to cut');
  show.tell('cut', 'the SSH connection reset in the middle of the call');
  await show.step(
    'resumed',
    () => laptop.resumed(resumes),
    () => ({ detail: 'the same session over a new SSH connection' }),
  );
  const { value, nodedowns } = await caller.returned();
  if (value !== caller.expected || nodedowns > 0) {
    throw new EpmuxError('DEMO_FAILED', `the call gave ${value} after ${nodedowns} nodedown`);
  }
  show.tell('returned', `the same call: ${value}, no nodedown`, performance.now() - start);
}

async function keep({ show, self, interrupted }: Stage, folder: DemoFolder): Promise<void> {
  show.line();
  for (const line of invitation(self, folder)) show.line(line);
  await once(interrupted, 'abort');
  show.line();
}

/** What to try in another terminal. */
function invitation(self: readonly string[], { epmuxHome }: DemoFolder): string[] {
  const words = self.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word}'`));
  return [
    'It stays up until Ctrl-C. In another terminal:',
    '',
    `  export EPMUX_HOME='${epmuxHome}'`,
    `  alias epmux="${words.join(' ')}"`,
    '  epmux status',
    '  epmux ping',
    `  epmux remsh ${NODE_NAME}`,
    `  eval "$(epmux env)" && iex --sname me --remsh ${NODE_NAME}`,
  ];
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
