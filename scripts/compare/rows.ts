/** What is compared. A measurement tells what it saw; none fails because it took long. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fault } from './faults.ts';
import {
  listens,
  NODE_PORT,
  pause,
  processesIn,
  type StageOptions,
  Stopwatch,
  inSeconds as s,
  untilPong,
} from './stage.ts';
import { type Epmux, LOCAL_EPMD_PORT, type Official, type Tool } from './tools.ts';

export interface Row {
  readonly title: string;
  readonly stage?: StageOptions;
  readonly official: (tool: Official) => Promise<string>;
  readonly epmux: (tool: Epmux) => Promise<string>;
}

/**
 * The seconds of each tool to a mark of its own, in turns: what else the machine does meanwhile
 * then meets both.
 */
export interface Race {
  readonly title: string;
  readonly stage: StageOptions;
  /** Of each tool; the median counts. */
  readonly runs: number;
  readonly official: Lap<Official>;
  readonly epmux: Lap<Epmux>;
}

export interface Lap<T extends Tool> {
  /** `“Listening” after` */
  readonly mark: string;
  readonly seconds: (tool: T) => Promise<number>;
}

const SETTLE_MS = 5_000;

const both = (measure: (tool: Tool) => Promise<string>) => ({ official: measure, epmux: measure });

export const ROWS: Readonly<Record<string, Row | Race>> = {
  start: { title: 'from the command to ready, and to the first `pong`', ...both(start) },
  'start-50ms': {
    title: 'the same on a path of 50 ms, to Heroku and to the dyno: the median of 9',
    stage: { roundTripMs: 50 },
    runs: 9,
    official: { mark: '“Listening” after', seconds: untilListening },
    epmux: { mark: 'first `pong` after', seconds: untilFirstPong },
  },
  'second-app': {
    title: 'a second app at the same time',
    official: async (tool) => {
      await tool.stage.addApp('my-other-app', NODE_PORT + 1);
      await tool.up();
      return refused(tool, 'my-other-app', `24369:4369,${NODE_PORT + 1}`);
    },
    epmux: async (tool) => {
      await tool.stage.addApp('my-other-app', NODE_PORT);
      await tool.up();
      const clock = new Stopwatch();
      await tool.up('my-other-app');
      const node = await tool.node();
      const ready = clock.seconds;
      const apps = ['my-app', 'my-other-app'];
      const pongs = await Promise.all(
        apps.map((app) => untilPong(node, tool.stage.target(app), 20_000)),
      );
      const answered = pongs.filter((each) => each !== undefined).length;
      return `up after ${s(ready)}; one local node reaches ${answered} of 2 apps`;
    },
  },
  'port-1080': portTaken(1_080, 'port 1080 is taken'),
  'port-local': portTaken(NODE_PORT, 'the local port is taken'),
  'ctrl-c': { title: 'Ctrl-C', official: officialCtrlC, epmux: epmuxCtrlC },
  idle: {
    title: 'idle 12 s; the path drops what is idle for 3 s, `net_ticktime` 6 s (1:10)',
    stage: { tickTimeS: 6, idleLimitMs: 3_000 },
    ...both((tool) => fault(tool, 'idle', 12_000)),
  },
  'idle-strict': {
    title: 'idle 10 s; the path drops what is idle for 3 s, `net_ticktime` 60 s (ticks are rarer)',
    stage: { idleLimitMs: 3_000 },
    ...both((tool) => fault(tool, 'idle', 10_000)),
  },
  reset: {
    title: 'a TCP reset 0.5 s after a call of 5 s began',
    ...both((tool) => fault(tool, 'reset', 0)),
  },
  blackhole: {
    title:
      'nothing passes for 90 s, silently, from 0.5 s after a call of 2 s began; `net_ticktime` 60 s',
    ...both((tool) => fault(tool, 'blackhole', 90_000)),
  },
  restart: { title: 'the dyno restarts', ...both((tool) => fault(tool, 'restart', 0)) },
};

async function start(tool: Tool): Promise<string> {
  const { ready, pong } = await started(tool);
  const first = pong === undefined ? 'no `pong`' : `first \`pong\` after ${s(ready + pong)}`;
  return `ready after ${s(ready)}, ${first}`;
}

async function started(tool: Tool): Promise<{ ready: number; pong: number | undefined }> {
  const clock = new Stopwatch();
  await tool.up();
  const ready = clock.seconds;
  // Starting a local node takes either tool's user the same time: not counted.
  const node = await tool.node();
  return { ready, pong: await untilPong(node, tool.stage.target(), 20_000) };
}

async function untilListening(tool: Official): Promise<number> {
  const clock = new Stopwatch();
  await tool.forward().says(/Listening/, 90_000);
  return clock.seconds;
}

async function untilFirstPong(tool: Epmux): Promise<number> {
  const { ready, pong } = await started(tool);
  if (pong === undefined) throw new Error('no pong came');
  return ready + pong;
}

/** What a further `ps:forward` does whose ports can't be had. */
async function refused(tool: Official, app?: string, ports?: string): Promise<string> {
  const clock = new Stopwatch();
  const run = tool.forward(app, ports);
  const exited = once(run.child, 'exit').then(([code]) => `exit ${code} after ${s(clock.seconds)}`);
  const ready = run.says(/Use .*CTRL\+C/).then(
    () => 'ready',
    () => exited,
  );
  await Promise.race([ready, pause(60_000)]);
  const how = await Promise.race([
    exited,
    pause(SETTLE_MS).then(() => `still runs after ${s(clock.seconds)}`),
  ]);
  const reason = /E[A-Z]{4,}[^\n]*/.exec(run.output)?.[0] ?? run.output.trim().split('\n').at(-1);
  const listening = run.output.includes('Listening') ? 'says “Listening”; ' : '';
  return `${listening}${how}: \`${reason?.slice(0, 80)}\``;
}

function portTaken(port: number, title: string): Row {
  const taken = async (measure: () => Promise<string>): Promise<string> => {
    const holder = createServer((socket) => socket.destroy()).listen(port);
    await once(holder, 'listening');
    try {
      return await measure();
    } finally {
      holder.close();
    }
  };
  return {
    title,
    official: (tool) => taken(() => refused(tool)),
    epmux: (tool) => taken(() => start(tool)),
  };
}

async function officialCtrlC(tool: Official): Promise<string> {
  const run = tool.forward();
  await run.says(/Use .*CTRL\+C/, 90_000);
  const node = await tool.node();
  await untilPong(node, tool.stage.target(), 20_000);
  const exited = once(run.child, 'exit');
  const ends = () => {
    const clock = new Stopwatch();
    return Promise.race([
      exited.then(
        ([code, signal]) => `ends after ${s(clock.seconds)} (${signal ?? `exit ${code}`})`,
      ),
      pause(SETTLE_MS).then(() => undefined),
    ]);
  };
  run.child.kill('SIGINT');
  const first = await ends();
  if (first !== undefined) return `${first}; ${await left(tool)}`;
  const open = (await listens(LOCAL_EPMD_PORT)) ? 'still listens' : 'listens no more';
  run.child.kill('SIGINT');
  const second = (await ends()) ?? 'goes on for 5 s';
  return `goes on for 5 s and ${open}; at a second Ctrl-C it ${second}; ${await left(tool)}`;
}

async function epmuxCtrlC(tool: Epmux): Promise<string> {
  const { child, output } = tool.start('up', '--foreground', '-a', 'my-app');
  const exited = once(child, 'exit');
  for (let tries = 0; tries < 100 && child.exitCode === null; tries += 1) {
    const asked = tool.start('ping', 'my-app');
    const [code] = await once(asked.child, 'close');
    if (code === 0) break;
    await pause(200);
  }
  if (child.exitCode !== null) throw new Error(`epmux up --foreground\n${output()}`);
  const node = await tool.node();
  await untilPong(node, tool.stage.target(), 20_000);
  const clock = new Stopwatch();
  child.kill('SIGINT');
  const how = await Promise.race([
    exited.then(([code, signal]) => `ends after ${s(clock.seconds)} (${signal ?? `exit ${code}`})`),
    pause(SETTLE_MS).then(() => 'goes on for 5 s'),
  ]);
  return `\`up --foreground\` ${how}; ${await left(tool)}`;
}

/**
 * What a tool leaves in the dyno; besides the app's own, that is epmd, its shell and the node's.
 */
async function left(tool: Tool): Promise<string> {
  await pause(3_000);
  const { connections } = tool.stage.dyno().sshd;
  return `3 s later ${connections} connections, and ${processesIn(tool.stage.dyno()) - tool.stage.processes} processes more than before in the dyno`;
}
