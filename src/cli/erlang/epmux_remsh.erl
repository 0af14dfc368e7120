%% A remote shell whose two ends may be of different releases. The OTP it runs in compiles it, in memory and form by form (so no macros).
%%
%%     terminal -- user_drv, group (here) -- proxy (here) -- IEx (the node)
%%
%% IEx hands its reader functions that only an Elixir of its own version can run: how to complete a word, where an expression ends. The
%% proxy is the shell's group leader, and has both run in the node. Nothing is loaded into the node.
-module(epmux_remsh).
-export([main/1, shell/2, until/6]).

%% Takes the terminal over for a shell in the node called Name: its IEx where it has one, else Erlang's own. Halts with 63 when the node does
%% not take the connection, with 1 when it or its shell goes away.
main(Name) ->
    Node = list_to_atom(Name),
    case net_kernel:connect_node(Node) of
        true -> open(Name, Node, iex_of(Node));
        _ -> halt(63)
    end.

%% The module whose start/0 begins an IEx there, which has moved over the years. A release may have Elixir and no IEx.
iex_of(Node) ->
    Modules = [iex, 'Elixir.IEx'],
    Loaded = rpc:call(Node, lists, map, [fun code:ensure_loaded/1, Modules]),
    Starts = [fun erlang:function_exported/3, Modules, [start, start], [0, 0]],
    case {Loaded, rpc:call(Node, lists, zipwith3, Starts)} of
        {[_, {module, _}], [true, _]} -> iex;
        {[_, {module, _}], [false, true]} -> 'Elixir.IEx';
        {[_, _], [_, _]} -> none;
        _ -> halt(63)
    end.

open(Name, Node, none) -> take_terminal({remote, Name}, {Node, shell, start, []});
open(_Name, Node, IEx) ->
    Shell = {epmux_remsh, shell, [Node, IEx]},
    take_terminal(Shell, Shell).

%% Interactive shells are begun in another way before OTP 26.
take_terminal(New, Old) ->
    {module, shell} = code:ensure_loaded(shell),
    case erlang:function_exported(shell, start_interactive, 1) of
        true -> shell:start_interactive(New);
        false -> user_drv:start(['tty_sl -c -e', Old])
    end.

%% Called by group, which links itself to the pid.
shell(Node, IEx) ->
    spawn(fun() ->
        process_flag(trap_exit, true),
        Group = group_leader(),
        Proxy = self(),
        group_leader(Proxy, Proxy),
        spawn_link(fun() -> Proxy ! {started, rpc:call(Node, IEx, start, [])} end),
        proxy(Node, Group, none)
    end).

proxy(Node, Group, Shell) ->
    receive
        {io_request, From, ReplyAs, Request} ->
            Group ! {io_request, From, ReplyAs, rewrite(Request, Node, From)},
            proxy(Node, Group, Shell);
        {started, Pid} when is_pid(Pid) ->
            monitor(process, Pid),
            proxy(Node, Group, Pid);
        {started, _} ->
            gone(Group, Node, "its shell does not start");
        {'DOWN', _, process, Shell, Reason} ->
            ended(Group, Node, Reason);
        %% IEx links itself to its group leader.
        {'EXIT', Shell, Reason} ->
            ended(Group, Node, Reason);
        {'EXIT', _, interrupt} when is_pid(Shell) ->
            exit(Shell, interrupt),
            proxy(Node, Group, Shell);
        {'EXIT', _, normal} ->
            proxy(Node, Group, Shell);
        {'EXIT', _, Reason} ->
            exit(Reason);
        _ ->
            proxy(Node, Group, Shell)
    end.

ended(_Group, _Node, normal) -> halt(0);
ended(Group, Node, noconnection) -> gone(Group, Node, "the connection is lost");
ended(Group, Node, _Reason) -> gone(Group, Node, "its shell has ended").

gone(Group, Node, Why) ->
    io:format(Group, "~n*** ~ts: ~s~n", [Node, Why]),
    halt(1).

rewrite({get_until, Encoding, Prompt, M, F, A}, Node, _From) ->
    {get_until, Encoding, Prompt, epmux_remsh, until, [Node, M, F, A]};
rewrite({setopts, Options}, Node, From) ->
    {setopts, [option(Option, Node, From) || Option <- Options]};
rewrite({requests, Requests}, Node, From) ->
    {requests, [rewrite(Request, Node, From) || Request <- Requests]};
rewrite(Request, _Node, _From) ->
    Request.

option({expand_fun, _}, Node, From) -> {expand_fun, fun(Before) -> expand(Before, Node, From) end};
option(Option, _Node, _From) -> Option.

until(Continuation, Chars, Node, M, F, A) ->
    case rpc:call(Node, M, F, [Continuation, Chars | A]) of
        {badrpc, Reason} -> {done, {error, Reason}, []};
        Result -> Result
    end.

expand(Before, Node, Shell) ->
    case rpc:call(Node, 'Elixir.IEx.Autocomplete', expand, [Before, Shell]) of
        {badrpc, _} -> {no, "", []};
        Result -> Result
    end.
