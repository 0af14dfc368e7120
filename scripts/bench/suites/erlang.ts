/** Two real Erlang nodes over a path of 50 ms: what a person at a remote shell feels. */
import type { ErlangNode } from '../../../test/support/erlang.ts';
import { APP, erlangWays, nodesOf } from '../erlang.ts';
import { heldWhile } from '../held.ts';
import { startServer } from '../processes.ts';
import type { Build, Stage } from '../stage.ts';
import { percentile } from '../stats.ts';
import type { Column, Suite } from '../suite.ts';

const ROUND_TRIP_MS = 50;
const BINARY_BYTES = 20_000_000;
const LIMIT_MS = 120_000;

const COLUMNS: readonly Column[] = [
  { key: 'erpc50', title: '`:erpc` p50, ms', digits: 1 },
  { key: 'erpc95', title: 'p95', digits: 1 },
  { key: 'erpcBeside50', title: 'while 20 MB move the other way p50, ms', digits: 1 },
  { key: 'erpcBeside95', title: 'p95', digits: 1 },
  { key: 'held50', title: 'in the kernel behind the app’s node p50, MB', digits: 1 },
  { key: 'held95', title: 'p95', digits: 1 },
  { key: 'up', title: '20 MB binary to the app, MB/s', digits: 1 },
  { key: 'down', title: 'from it', digits: 1 },
];

const TIMED =
  'Timed = fun(F) -> T = erlang:monotonic_time(microsecond), F(), erlang:monotonic_time(microsecond) - T end,';
const CALL = `Call = fun() -> Timed(fun() -> '${APP}' = erpc:call('${APP}', erlang, node, []) end) end,`;
const FETCH = `Fetch = fun() -> ${BINARY_BYTES} = byte_size(erpc:call('${APP}', binary, copy, [<<1>>, ${BINARY_BYTES}])) end,`;

async function times(node: ErlangNode, program: string): Promise<number[]> {
  const text = await node.eval(`${TIMED}${CALL}${FETCH}${program}`, LIMIT_MS);
  return (JSON.parse(text) as number[]).map((microseconds) => microseconds / 1_000);
}

const calls = (count: number): string => `[Call() || _ <- lists:seq(1, ${count})]`;

/** Calls one after the other until the binaries have come: a handful in the time of each. */
const BESIDE = `Me = self(),
  spawn_link(fun() -> [Fetch() || _ <- lists:seq(1, 12)], Me ! fetched end),
  Loop = fun(Again, Seen) ->
    receive fetched -> Seen after 0 -> Again(Again, [Call() | Seen]) end
  end,
  Loop(Loop, [])`;

const UP = `B = binary:copy(<<1>>, ${BINARY_BYTES}),
  [Timed(fun() -> ${BINARY_BYTES} = erpc:call('${APP}', erlang, byte_size, [B]) end)]`;

const rate = (ms: readonly number[]): number => BINARY_BYTES / 1e3 / percentile(ms, 0.5);

export function erlangSuite(stage: Stage, build: Build, quick: boolean, rounds?: number): Suite {
  return {
    key: 'erlang',
    title: `Two Erlang nodes, a path of ${ROUND_TRIP_MS} ms round trip`,
    columns: COLUMNS,
    kinds: erlangWays(build),
    rounds: rounds ?? (quick ? 1 : 5),
    hop: async (port) => (await startServer(stage.node('path', port, ROUND_TRIP_MS))).port,
    async measure(_stage, way) {
      const { node, appPort } = nodesOf(way);
      // Connects, and fills the path once.
      await times(node, `Fetch(), ${calls(1)}`);
      const idle = await times(node, calls(quick ? 30 : 100));
      const [beside, held] = await heldWhile(appPort, () => times(node, BESIDE));
      return {
        erpc50: percentile(idle, 0.5),
        erpc95: percentile(idle, 0.95),
        erpcBeside50: percentile(beside, 0.5),
        erpcBeside95: percentile(beside, 0.95),
        ...(held.length === 0
          ? {}
          : { held50: percentile(held, 0.5), held95: percentile(held, 0.95) }),
        up: rate(await times(node, UP)),
        down: rate(await times(node, '[Timed(Fetch)]')),
      };
    },
  };
}
