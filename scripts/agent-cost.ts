/**
 * What `epmux agent` costs the host that it runs on; prints a table of what was measured, beside an
 * empty Node with one socket.
 *
 *     npm run agent-cost               a minute for each figure of the processor
 *     npm run agent-cost -- --short    seconds
 *
 * Linux only; `erl` and `epmd` have to be there.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { AGENT_LIMITS } from '../src/agent/limits.ts';
import { DaemonEnd } from '../test/support/daemon-end.ts';
import { ErlangHost } from '../test/support/erlang.ts';
import { abandonSession, Flood } from './bounds/abandoned.ts';
import { cpuMs, peakMib, quantile, residentMib } from './bounds/usage.ts';
import { bundleAgent } from './bundle-agent.ts';

const SECRET = 'the secret of a measurement';
const EMPTY_NODE =
  "require('node:net').createServer().listen(0, '127.0.0.1', () => process.stderr.write('listening port=:1\\n'))";
const short = process.argv.includes('--short');
const STARTS = short ? 3 : 15;
const CPU_MS = short ? 3_000 : 60_000;
/** After which the agent's first minute of frequent looks is over. */
const SETTLE_MS = short ? 1_000 : 65_000;
const ABANDONED = 100;
const STREAMS_EACH = 20;

interface Running {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly port: number;
  readonly startMs: number;
}

async function start(args: readonly string[], env: NodeJS.ProcessEnv): Promise<Running> {
  const begun = performance.now();
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  for await (const chunk of child.stderr ?? []) {
    said += chunk;
    if (/listening.*\n/.test(said)) break;
  }
  const startMs = performance.now() - begun;
  const port = Number(/listening.*?:(\d+)/.exec(said)?.[1] ?? Number.NaN);
  if (child.pid === undefined || Number.isNaN(port)) throw new Error(`it did not start: ${said}`);
  return { child, pid: child.pid, port, startMs };
}

async function stop({ child }: Running): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

async function cpuShare(pid: number): Promise<string> {
  const before = cpuMs(pid);
  await delay(CPU_MS);
  return `${(((cpuMs(pid) - before) / CPU_MS) * 100).toFixed(3)} %`;
}

const median = (values: readonly number[]): string => quantile(values, 0.5).toFixed(1);

/** Starts alternate, so that a slow moment of the machine meets both. */
async function starts(agent: string, env: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const rows = { empty: { ms: [], mib: [] }, agent: { ms: [], mib: [] } } as Record<
    'empty' | 'agent',
    { ms: number[]; mib: number[] }
  >;
  for (let at = 0; at < STARTS; at += 1) {
    for (const [row, args] of [
      [rows.empty, ['-e', EMPTY_NODE]],
      [rows.agent, [agent, '--port', '0']],
    ] as const) {
      const running = await start(args, env);
      await delay(300);
      row.ms.push(running.startMs);
      row.mib.push(residentMib(running.pid));
      await stop(running);
    }
  }
  return [
    `| start until it listens, median of ${STARTS} | ${median(rows.empty.ms)} ms | ${median(rows.agent.ms)} ms |`,
    `| resident after the start, median | ${median(rows.empty.mib)} MiB | ${median(rows.agent.mib)} MiB |`,
  ];
}

async function abandoned(agent: string, env: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const standard = AGENT_LIMITS.heldBytes.default / (1_024 * 1_024);
  return [...(await abandonedWith(standard, agent, env)), ...(await abandonedWith(16, agent, env))];
}

async function idle(agent: string, env: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const empty = await start(['-e', EMPTY_NODE], env);
  const running = await start([agent, '--port', '0'], env);
  try {
    const [none, detached] = await Promise.all([cpuShare(empty.pid), cpuShare(running.pid)]);
    const end = new DaemonEnd(SECRET);
    await end.dial(running.port);
    await end.directory(({ nodes }) => nodes.length > 0);
    await delay(SETTLE_MS);
    const attached = await cpuShare(running.pid);
    const mib = residentMib(running.pid).toFixed(1);
    await end.end();
    return [
      `| of a core, nobody attached, ${CPU_MS / 1000} s | ${none} | ${detached} |`,
      `| of a core, a session attached and idle, one node | | ${attached} |`,
      `| resident after that | ${residentMib(empty.pid).toFixed(1)} MiB | ${mib} MiB |`,
    ];
  } finally {
    await Promise.all([stop(empty), stop(running)]);
  }
}

async function abandonedWith(
  heldMib: number,
  agent: string,
  env: NodeJS.ProcessEnv,
): Promise<readonly string[]> {
  const flood = await Flood.start();
  const limit = ['--limit', `held-bytes=${heldMib * 1_024 * 1_024}`];
  const args = [agent, '--port', '0', '--allow', `flood=${flood.port}`, ...limit];
  const running = await start(args, env);
  try {
    for (let at = 0; at < ABANDONED; at += 1) {
      await abandonSession(SECRET, running.port, STREAMS_EACH);
    }
    await delay(3_000);
    const what = `${ABANDONED} sessions abandoned with ${STREAMS_EACH} full streams each, held-bytes ${heldMib} MiB`;
    const [now, most] = [residentMib(running.pid), peakMib(running.pid)];
    return [
      `| resident after ${what} (the most meanwhile) | | ${now.toFixed(1)} (${most.toFixed(1)}) MiB |`,
    ];
  } finally {
    flood.stop();
    await stop(running);
  }
}

const folder = mkdtempSync(join(tmpdir(), 'epmux-cost-'));
const host = await ErlangHost.start();
try {
  const agent = join(folder, 'agent.mjs');
  await bundleAgent(agent);
  await host.node('app');
  const env = { ...host.env, EPMUX_SECRET: SECRET };
  const date = new Date().toISOString().slice(0, 10);
  console.log(`${date}, ${cpus().length} cores, Node ${process.version}\n`);
  console.log('| | an empty Node | the agent |\n| --- | --- | --- |');
  for (const part of [starts, idle, abandoned]) {
    for (const row of await part(agent, env)) console.log(row);
  }
} finally {
  await host.stop();
  rmSync(folder, { recursive: true, force: true });
}
