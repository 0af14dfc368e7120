import { ENTER_FOLDER } from './apart.ts';
import { Failure } from './failure.ts';
import { guestName } from './guest.ts';

/**
 * Connects first, so that a window means a connection. Where `observer:start/1` is not there yet
 * (OTP 25 and older) the node is chosen as the Nodes menu does it, whose items stand for the list
 * of nodes in Observer's state, from 1001 on. Ends with the window.
 */
const SCRIPT = `
logger:set_primary_config(level, none),
[Name | _] = init:get_plain_arguments(),
Node = list_to_atom(Name),
case code:ensure_loaded(observer) of {module, _} -> ok; _ -> halt(${Failure.noObserver}) end,
case net_kernel:connect_node(Node) of true -> ok; _ -> halt(${Failure.noNode}) end,
case rpc:call(Node, observer_backend, module_info, [module], 30000) of
  observer_backend -> ok;
  {badrpc, Lost} when Lost =:= nodedown; Lost =:= timeout -> halt(${Failure.connectionLost});
  _ -> halt(${Failure.noBackend})
end,
Direct = erlang:function_exported(observer, start, 1),
Started = try case Direct of true -> observer:start(Node); false -> observer:start() end catch _:_ -> failed end,
Window = erlang:monitor(process, observer),
case Started of ok -> ok; _ -> halt(${Failure.noWindow}) end,
Chosen = Direct orelse try
  [Nodes | _] = [
    List || State <- sys:get_state(observer), is_tuple(State),
    List <- tuple_to_list(State), is_list(List), lists:member(Node, List)
  ],
  Before = length(lists:takewhile(fun(Other) -> Other =/= Node end, Nodes)),
  observer ! {wx, 1001 + Before, undefined, [], {wxCommand, command_menu_selected, [], 0, 0}},
  true
catch _:_ -> false end,
Chosen orelse io:put_chars(standard_error, ["in Observer choose Nodes, ", Name, "\\n"]),
receive {'DOWN', Window, _, _, _} -> halt(0) end.
`;

/** Arguments for `erl`. The node's name is an argument of the script, never a part of it. */
export function observerArguments(node: string): readonly string[] {
  const [flag, name] = guestName(node);
  const script = SCRIPT.trim().replaceAll('\n', ' ');
  const flags = [flag.slice(1), name, '-hidden', '-noinput', '+Bd', ...ENTER_FOLDER];
  return [...flags, '-eval', script, '-extra', node];
}
