/**
 * What other processes of a real node feel: message round trips between two of them, how late a
 * timer is, and whether a connection makes senders wait.
 */
import type { ErlangNode } from './erlang.ts';

const EVAL_MS = 30_000;

/** In microseconds. */
export interface Figures {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface ProbeReport {
  readonly messages: Figures;
  readonly timer: Figures;
  readonly reports: {
    /** How often a process of the node was made to wait for a busy connection. */
    readonly busyPorts: number;
  };
}

/**
 * A pair that plays ping-pong every 5 ms at the normal priority, a timer of 10 ms whose lateness
 * counts, and the system monitor for busy distribution ports. `take` answers with what was measured
 * since the one before, and empties it.
 */
const PROGRAM = `
  Echo = spawn(fun() -> (fun E() -> receive {From, Ref} -> From ! Ref, E() end end)() end),
  Keeper = spawn(fun() ->
    erlang:system_monitor(self(), [busy_dist_port]),
    (fun K(Messages, Timers, Busy) ->
      receive
        {message, Us} -> K([Us | Messages], Timers, Busy);
        {timer, Us} -> K(Messages, [Us | Timers], Busy);
        {monitor, _, busy_dist_port, _} -> K(Messages, Timers, Busy + 1);
        {take, From, Ref} -> From ! {Ref, {Messages, Timers, Busy}}, K([], [], 0)
      end
    end)([], [], 0)
  end),
  spawn(fun() -> (fun P() ->
    Begun = erlang:monotonic_time(microsecond),
    Ref = make_ref(), Echo ! {self(), Ref}, receive Ref -> ok end,
    Keeper ! {message, erlang:monotonic_time(microsecond) - Begun},
    receive after 5 -> ok end,
    P()
  end)() end),
  spawn(fun() -> (fun T() ->
    Begun = erlang:monotonic_time(microsecond),
    receive after 10 -> ok end,
    Keeper ! {timer, erlang:monotonic_time(microsecond) - Begun - 10000},
    T()
  end)() end),
  register(latency_probe, Keeper)
`;

const TAKE = `
  Ref = make_ref(), latency_probe ! {take, self(), Ref},
  {Messages, Timers, Busy} = receive {Ref, Found} -> Found after 10000 -> exit(no_answer) end,
  Figures = fun
    ([]) -> [0, 0, 0, 0];
    (Values) ->
      Sorted = lists:sort(Values), Count = length(Sorted),
      At = fun(Share) -> lists:nth(min(Count, 1 + trunc(Share * Count)), Sorted) end,
      [Count, At(0.5), At(0.99), lists:last(Sorted)]
  end,
  [Figures(Messages), Figures(Timers), [Busy]]
`;

/**
 * The value of an expression, a list of numbers or of such lists: printed as terms are, some would
 * be strings.
 */
export async function evalNumbers(node: ErlangNode, expressions: string): Promise<unknown> {
  const atom = await node.eval(
    `Value = begin ${expressions} end, list_to_atom(lists:flatten(io_lib:format("~w", [Value])))`,
    EVAL_MS,
  );
  return JSON.parse(atom.replaceAll("'", ''));
}

export class LatencyProbe {
  readonly #node: ErlangNode;

  private constructor(node: ErlangNode) {
    this.#node = node;
  }

  static async start(node: ErlangNode): Promise<LatencyProbe> {
    await node.eval(PROGRAM);
    return new LatencyProbe(node);
  }

  /** What was measured since the last call, or the start. */
  async take(): Promise<ProbeReport> {
    const found = await evalNumbers(this.#node, TAKE);
    const [messages = [], timer = [], [busyPorts = 0] = []] = found as number[][];
    return { messages: figures(messages), timer: figures(timer), reports: { busyPorts } };
  }
}

function figures([count = 0, p50 = 0, p99 = 0, max = 0]: readonly number[]): Figures {
  return { count, p50, p99, max };
}
