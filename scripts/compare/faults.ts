/**
 * One harm to a connection that stands and is used, and what becomes of the nodes and of a call.
 */
import type { ErlangNode } from '../../test/support/erlang.ts';
import {
  inSeconds,
  pause,
  remoteSleep,
  Stopwatch,
  untilPong,
  type Watched,
  watchDown,
} from './stage.ts';
import type { Tool } from './tools.ts';

export type Fault = 'idle' | 'reset' | 'blackhole' | 'restart';

const PONG_LIMIT_MS = 60_000;
const CALL_MS = { reset: 5_000, blackhole: 2_000 };
const BEGIN_MS = 500;
/** A call fails at a nodedown a moment before the nodedown is told. */
const SETTLE_MS = 300;

export async function fault(tool: Tool, kind: Fault, lastsMs: number): Promise<string> {
  await tool.up();
  const node = await tool.node();
  const target = tool.stage.target();
  if ((await untilPong(node, target, PONG_LIMIT_MS)) === undefined) return 'never a `pong`';
  const watched = watchDown(node, target);
  if (kind === 'restart') return restart(tool, node, watched);
  const outcome =
    kind === 'idle'
      ? await idle(node, target, watched, lastsMs)
      : await broken(tool, node, { kind, lastsMs, watched });
  return `${outcome}${await tool.beneath()}`;
}

async function idle(
  node: ErlangNode,
  target: string,
  watched: Watched,
  lastsMs: number,
): Promise<string> {
  await pause(lastsMs);
  const { value, seconds } = await remoteSleep(node, target, 0);
  await pause(SETTLE_MS);
  return `${down(watched)}; the next call gives ${said(value)} after ${inSeconds(seconds)}${await again(node, target, watched)}`;
}

async function broken(
  tool: Tool,
  node: ErlangNode,
  harm: { kind: 'reset' | 'blackhole'; lastsMs: number; watched: Watched },
): Promise<string> {
  const { kind, lastsMs, watched } = harm;
  const target = tool.stage.target();
  const { path } = tool.stage.dyno();
  const call = remoteSleep(node, target, CALL_MS[kind]);
  // The call has to have begun.
  await pause(BEGIN_MS);
  if (kind === 'reset') path.reset();
  else {
    path.blackhole();
    await pause(lastsMs);
    path.heal();
  }
  const back = new Stopwatch();
  const { value, seconds } = await call;
  // Unlike a call that ended meanwhile, one that waited for the path is told by when the path came
  // back.
  const atMs = seconds * 1_000 - BEGIN_MS - lastsMs;
  const when =
    kind === 'blackhole' && atMs > 0
      ? `${inSeconds(atMs / 1_000)} after the path is back`
      : `after ${inSeconds(seconds)}`;
  const returned = `the call gives ${said(value)} ${when}`;
  const pong = value === 'ok' ? 0 : await untilPong(node, target, PONG_LIMIT_MS);
  const backAfter = back.seconds;
  await pause(SETTLE_MS);
  const outcome = `${down(watched)}; ${returned}`;
  if (value === 'ok') return outcome;
  const since = kind === 'blackhole' ? 'the path is back' : 'the reset';
  const reached = pong === undefined ? 'no `pong` for 60 s' : `\`pong\` ${inSeconds(backAfter)}`;
  return `${outcome}; ${reached} after ${since}`;
}

async function restart(tool: Tool, node: ErlangNode, watched: Watched): Promise<string> {
  const dyno = await tool.stage.restart();
  const clock = new Stopwatch();
  await tool.learn(node, dyno.hostName);
  const pong = await untilPong(node, `app@${dyno.hostName}`, PONG_LIMIT_MS);
  const reached =
    pong === undefined
      ? `the new node gives no \`pong\` for ${inSeconds(clock.seconds)}`
      : `\`pong\` of the new node ${inSeconds(clock.seconds)} after it is there`;
  return `${down(watched)}; ${reached}`;
}

/** After a failure: when it can be reached anew. */
async function again(node: ErlangNode, target: string, watched: Watched): Promise<string> {
  if (watched.downAfter === undefined) return '';
  const pong = await untilPong(node, target, PONG_LIMIT_MS);
  return pong === undefined ? '; no `pong` for 60 s' : `; then \`pong\` after ${inSeconds(pong)}`;
}

function down({ downAfter }: Watched): string {
  return downAfter === undefined ? 'no nodedown' : `nodedown after ${inSeconds(downAfter)}`;
}

function said(value: string): string {
  return `\`${value}\``;
}
