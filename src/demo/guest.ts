import type { Leading } from '../daemon/control/api.ts';
import type { Caller } from './caller.ts';
import type { Cleanup } from './cleanup.ts';
import { type Erlang, plainEnvironment } from './erlang.ts';
import { startProgram } from './program.ts';

const START_MS = 15_000;
const RETURN_MS = 30_000;
/** Connects, and for each line on its stdin makes a call that takes as many milliseconds as the line says. Ends with its stdin. */
const GUEST = `
Node = list_to_atom(os:getenv("EPMUX_DEMO_NODE")),
ok = net_kernel:monitor_nodes(true, [{node_type, all}]),
io:format("connected ~p~n", [net_kernel:connect_node(Node)]),
Downs = fun Count(N) -> receive {nodedown, Node, _} -> Count(N + 1) after 0 -> N end end,
Loop = fun Next() ->
  case io:get_line("") of
    eof -> halt();
    Line ->
      Ms = list_to_integer(string:trim(Line)),
      io:format("calling~n"),
      Result = rpc:call(Node, timer, sleep, [Ms]),
      io:format("returned ~p nodedown ~b~n", [Result, Downs(0)]),
      Next()
  end
end,
Loop().`;

export interface GuestOptions {
  /** Where its cookie is. */
  readonly home: string;
  /** The node to call. */
  readonly name: string;
  readonly interrupted: AbortSignal;
  readonly cleanup: Cleanup;
}

/** A second real node, which is led to the tunnel as any local one is. */
export async function startGuest(
  erlang: Erlang,
  leading: Leading,
  options: GuestOptions,
): Promise<Caller> {
  const { home, name, interrupted, cleanup } = options;
  const guest = startProgram({
    title: 'the local node',
    command: [
      erlang.erl,
      ...['-boot', 'no_dot_erlang', '-noshell', '-sname', 'me@laptop', '-dist_listen', 'false'],
      ...['-start_epmd', 'false', '-eval', GUEST],
    ],
    env: {
      ...plainEnvironment(),
      HOME: home,
      ERL_EPMD_PORT: String(leading.epmdPort),
      ERL_INETRC: leading.inetrc,
      EPMUX_DEMO_NODE: name,
    },
  });
  cleanup.add('the local node', () => guest.stop());
  await guest.line(/^connected true$/, START_MS, interrupted);
  return {
    expected: 'ok',
    describe: (ms) => `rpc:call(${name}, timer, sleep, [${ms}])`,
    async begin(ms) {
      guest.send(String(ms));
      await guest.line(/^calling$/, START_MS, interrupted);
    },
    async returned() {
      const pattern = /^returned (.+) nodedown (\d+)$/;
      const [, value = '', nodedowns] = await guest.line(pattern, RETURN_MS, interrupted);
      return { value, nodedowns: Number(nodedowns) };
    },
  };
}
