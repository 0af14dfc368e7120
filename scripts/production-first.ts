/**
 * What a node in the dyno feels while somebody's tunnel is frozen in the middle of a huge term:
 * latency of messages between its other processes, lateness of its timers, before and meanwhile;
 * when the connection is cut, and what `epmux status` says of it. Real nodes, a real sshd, the real
 * agent and daemon.
 *
 *     npm run production-first                       a term of 1 GB, the stall limit of 30 s, a tunnel that is blackholed and a daemon that is stopped
 *     npm run production-first -- --short            64 MB and 3 s
 */
import { cpus } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { EPMUX, TestDyno } from '../test/support/dyno.ts';
import type { ErlangNode } from '../test/support/erlang.ts';
import { Laptop } from '../test/support/laptop.ts';
import {
  evalNumbers,
  type Figures,
  LatencyProbe,
  type ProbeReport,
} from '../test/support/latency-probe.ts';

const short = process.argv.includes('--short');
const TERM_BYTES = short ? 64_000_000 : 1_000_000_000;
const STALL_S = short ? 3 : 30;
const BEFORE_MS = short ? 3_000 : 30_000;
const LIMIT_MS = 120_000;
const KIB = 1_024;

/** Ways to freeze a tunnel, and to let it go on. */
const FREEZES = {
  'the path is a blackhole': {
    freeze: async ({ dyno }) => dyno.path.blackhole(),
    release: async ({ dyno }) => dyno.path.heal(),
  },
  'the daemon is stopped (SIGSTOP)': {
    freeze: async ({ daemon }) => void process.kill(daemon, 'SIGSTOP'),
    release: async ({ daemon }) => void process.kill(daemon, 'SIGCONT'),
  },
} as const satisfies Record<string, Freeze>;

interface Freeze {
  freeze(scene: Scene): Promise<void>;
  release(scene: Scene): Promise<void>;
}

interface Scene {
  readonly dyno: TestDyno;
  readonly laptop: Laptop;
  readonly app: ErlangNode;
  readonly me: ErlangNode;
  /** The pid. */
  readonly daemon: number;
}

/** The sending has begun, and much is still to come. */
async function askForTerm({ dyno, app, me }: Scene): Promise<void> {
  const { passedBytes } = dyno.path;
  dyno.path.bytesPerSecond = 10_000_000;
  await me.eval(`spawn(fun() -> rpc:call('${app.name}', persistent_term, get, [term]) end), ok`);
  while (dyno.path.passedBytes < passedBytes + 5_000_000) await delay(20);
}

/** Bytes that the node itself holds for the connection to the other, and its memory, in MiB. */
async function queueAndMemory(app: ErlangNode, me: ErlangNode): Promise<readonly number[]> {
  const found = await evalNumbers(
    app,
    `
    Queues = [Size || {Name, Port} <- erlang:system_info(dist_ctrl), Name =:= '${me.name}',
      {queue_size, Size} <- [erlang:port_info(Port, queue_size)]],
    [lists:sum(Queues), erlang:memory(total) div 1048576]`,
  );
  return found as number[];
}

function row(what: string, { count, p50, p99, max }: Figures): string {
  const ms = (us: number): string => (us / 1_000).toFixed(2);
  return `| ${what} | ${count} | ${ms(p50)} | ${ms(p99)} | ${ms(max)} |`;
}

function print(name: string, before: ProbeReport, during: ProbeReport): void {
  console.log(`\n**${name}**\n`);
  console.log('| in the node, ms | measured | p50 | p99 | max |\n| --- | --- | --- | --- | --- |');
  console.log(row('message there and back, before', before.messages));
  console.log(row('the same, while frozen until the cut', during.messages));
  console.log(row('a timer is late by, before', before.timer));
  console.log(row('the same, while frozen until the cut', during.timer));
}

async function measure(name: string, way: Freeze): Promise<void> {
  const agentProgram = [...EPMUX, 'agent', '--stall', `${STALL_S}s`];
  const dyno = await TestDyno.start({ agentProgram });
  const laptop = await Laptop.start();
  try {
    const app = await dyno.erlang.node('app');
    // A daemon that is stopped would else be killed, and the connection cut by that.
    laptop.env['EPMUX_LIMITS'] = `hang-ms=${10 * LIMIT_MS}`;
    await laptop.run('up', 'prod', ...laptop.wayTo(dyno));
    const me = await laptop.node('me');
    const { daemon } = await laptop.status();
    await me.eval(`true = net_kernel:connect_node('${app.name}'), ok`);
    await app.eval(`persistent_term:put(term, binary:copy(<<0>>, ${TERM_BYTES}))`, LIMIT_MS);
    const scene: Scene = { dyno, laptop, app, me, daemon: daemon.pid };
    const probe = await LatencyProbe.start(app);
    await delay(BEFORE_MS);
    const before = await probe.take();
    await askForTerm(scene);
    await way.freeze(scene);
    const begun = performance.now();
    try {
      const [queued = 0, mib = 0] = await queueAndMemory(app, me);
      await app.event((event) => event.type === 'nodedown' && event.node === me.name, LIMIT_MS);
      const cutMs = performance.now() - begun;
      const during = await probe.take();
      print(name, before, during);
      console.log(
        `\nCut ${(cutMs / 1_000).toFixed(1)} s after the freeze (limit ${STALL_S} s). Times a sender was made to wait for the connection: ` +
          `${during.reports.busyPorts}; held by its port: ${Math.round(queued / KIB)} KiB; memory of the node: ${mib} MiB.`,
      );
    } finally {
      await way.release(scene);
      dyno.path.bytesPerSecond = Number.POSITIVE_INFINITY;
    }
    await reason(laptop, app);
  } finally {
    await laptop.stop();
    await dyno.stop();
  }
}

/** Prints what `status` says once the tunnel is back. */
async function reason(laptop: Laptop, app: ErlangNode): Promise<void> {
  const deadline = performance.now() + LIMIT_MS;
  while (performance.now() < deadline) {
    const { tunnels } = await laptop.status();
    const node = tunnels[0]?.nodes.find(({ name }) => name === app.name);
    if (node?.lastCut !== undefined) {
      const line = (await laptop.run('status')).split('\n').find((text) => /last cut/.test(text));
      console.log(`\`epmux status\` afterwards: \`${line?.trim()}\``);
      return;
    }
    await delay(200);
  }
  throw new Error('`epmux status` does not say that the connection was cut');
}

const date = new Date().toISOString().slice(0, 10);
console.log(`${date}, ${cpus().length} cores, a term of ${TERM_BYTES / 1_000_000} MB`);
for (const [name, way] of Object.entries(FREEZES)) await measure(name, way);
