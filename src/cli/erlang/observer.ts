import { Failure } from './failure.ts';
import { guestName } from './guest.ts';

/**
 * Connects first, so that a window means a connection. Observers that can't be started on a node (before `observer:start/1`) are
 * started here and told where to click. Ends with the window.
 */
const SCRIPT = `
logger:set_primary_config(level, none),
[Name | _] = init:get_plain_arguments(),
Node = list_to_atom(Name),
case code:ensure_loaded(observer) of {module, _} -> ok; _ -> halt(${Failure.noObserver}) end,
case net_kernel:connect_node(Node) of true -> ok; _ -> halt(${Failure.noNode}) end,
Direct = erlang:function_exported(observer, start, 1),
Started = try case Direct of true -> observer:start(Node); false -> observer:start() end catch _:_ -> failed end,
Window = erlang:monitor(process, observer),
case Started of ok -> ok; _ -> halt(${Failure.noWindow}) end,
Direct orelse io:put_chars(standard_error, ["in Observer choose Nodes, Connect Node, and enter ", Name, "\\n"]),
receive {'DOWN', Window, _, _, _} -> halt(0) end.
`;

/** Arguments for `erl`. The node's name is an argument of the script, never a part of it. */
export function observerArguments(node: string): readonly string[] {
  const [flag, name] = guestName(node);
  const script = SCRIPT.trim().replaceAll('\n', ' ');
  return [flag.slice(1), name, '-hidden', '-noinput', '+Bd', '-eval', script, '-extra', node];
}
