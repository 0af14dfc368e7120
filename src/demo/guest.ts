import type { Leading } from '../daemon/control/api.ts';
import { EpmuxError } from '../protocol/errors.ts';
import type { Caller } from './caller.ts';
import type { Cleanup } from './cleanup.ts';
import { type Erlang, plainEnvironment } from './erlang.ts';
import { type Program, startProgram } from './program.ts';
import { until } from './until.ts';

const START_MS = 30_000;
const RETURN_MS = 30_000;
/** A running node reads the hosts file again within 5 s. */
const REACH_MS = 20_000;
const NODEDOWN_MS = 20_000;
/**
 * Does what each line on its stdin says: `reach NODE`, `call NODE MS`, `down MS` (the next
 * nodedown). Ends with its stdin.
 */
const GUEST = `
ok = net_kernel:monitor_nodes(true, [{node_type, all}]),
io:format("ready~n"),
Loop = fun Next() ->
  case io:get_line("") of
    eof -> halt();
    Line ->
      case string:lexemes(Line, " \\n") of
        ["reach", Name] ->
          Node = list_to_atom(Name),
          io:format("reached ~p~n", [rpc:call(Node, erlang, node, [], 10000) =:= Node]);
        ["call", Name, Ms] ->
          io:format("calling~n"),
          io:format("returned ~0p~n", [rpc:call(list_to_atom(Name), timer, sleep, [list_to_integer(Ms)])]);
        ["down", Ms] ->
          receive {nodedown, Node, _} -> io:format("down ~s~n", [Node])
          after list_to_integer(Ms) -> io:format("down~n") end
      end,
      Next()
  end
end,
Loop().`;

export interface GuestOptions {
  /** Where its cookie is. */
  readonly home: string;
  readonly interrupted: AbortSignal;
  readonly cleanup: Cleanup;
}

/**
 * A real node on the laptop, which is led to the tunnel as any local one is. Asked one thing at a
 * time.
 */
export interface Guest {
  /** Calls the node until it answers, and so is connected to it. */
  reach(node: string): Promise<void>;
  /** The node that goes next, or has gone unasked. */
  nodedown(): Promise<string>;
  /** Nodes that have gone unasked. */
  nodedowns(): Promise<readonly string[]>;
  caller(node: string): Caller;
}

export async function startGuest(
  erlang: Erlang,
  leading: Leading,
  options: GuestOptions,
): Promise<Guest> {
  const { home, interrupted, cleanup } = options;
  const program = startProgram({
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
    },
  });
  cleanup.add('the local node', () => program.stop());
  await program.line(/^ready$/, START_MS, interrupted);
  return new ErlangGuest(program, interrupted);
}

class ErlangGuest implements Guest {
  readonly #program: Program;
  readonly #interrupted: AbortSignal;

  constructor(program: Program, interrupted: AbortSignal) {
    this.#program = program;
    this.#interrupted = interrupted;
  }

  async reach(node: string): Promise<void> {
    await until(`me@laptop's way to ${node}`, REACH_MS, this.#interrupted, async () =>
      (await this.#ask(`reach ${node}`, /^reached (.+)$/)) === 'true' ? true : undefined,
    );
  }

  async nodedown(): Promise<string> {
    const node = await this.#nextDown(NODEDOWN_MS);
    if (node !== '') return node;
    throw new EpmuxError('TIMEOUT', `no nodedown within ${NODEDOWN_MS} ms`);
  }

  async nodedowns(): Promise<readonly string[]> {
    const gone: string[] = [];
    for (let node = await this.#nextDown(0); node !== ''; node = await this.#nextDown(0)) {
      gone.push(node);
    }
    return gone;
  }

  caller(node: string): Caller {
    return {
      expected: 'ok',
      describe: (ms) => `rpc:call(${node}, timer, sleep, [${ms}])`,
      begin: async (ms) => void (await this.#ask(`call ${node} ${ms}`, /^calling()$/)),
      returned: async () => {
        const value = await this.#answer(/^returned (.+)$/, RETURN_MS);
        return { value, nodedowns: (await this.nodedowns()).length };
      },
    };
  }

  /** Empty when none goes within `ms`. */
  #nextDown(ms: number): Promise<string> {
    return this.#ask(`down ${ms}`, /^down ?(.*)$/, START_MS + ms);
  }

  #ask(question: string, answer: RegExp, limitMs = START_MS): Promise<string> {
    this.#program.send(question);
    return this.#answer(answer, limitMs);
  }

  async #answer(answer: RegExp, limitMs: number): Promise<string> {
    const [, value = ''] = await this.#program.line(answer, limitMs, this.#interrupted);
    return value;
  }
}
