%% A remote shell whose two ends may be of different releases. The OTP it runs in compiles it, in memory and form by form (so no macros).
%%
%%     terminal -- user_drv, group (here) -- proxy (here) -- IEx or Erlang's shell (the node)
%%
%% A shell hands its group leader code that only modules of its own release can run: where an expression ends, how to complete a word.
%% The proxy is the shell's group leader, and has both run in the node. Lines are edited here; nothing is loaded into the node.
%%
%% The end of our input ends the shell and never the node, which `iex --remsh` halts then, and `erl -remsh` where the node has OTP 25.
%%
%% Halts with 63: the node does not take the connection. 65: the connection is lost. 66: the terminal is unknown to this OTP.
-module(epmux_remsh).
-export([main/0, shell/1, until/6, line/2]).

%% Plain arguments: the node's name; `iex` (Erlang's shell where the node has none) or `erl`; `edit`, or `plain` where there is no terminal
%% to edit lines in; IEx's --dot-iex, if any.
main() ->
    [Name, Wanted, Input | DotIex] = init:get_plain_arguments(),
    Node = list_to_atom(Name),
    connect(Node),
    [Release, Version, TickTime, IEx, OldIEx] = ask(Node),
    follow_tick_time(TickTime),
    Session = #{
        node => Node,
        input => Input,
        version => Version,
        release => list_to_integer(Release),
        start => start(Wanted, IEx, OldIEx, DotIex)
    },
    case Input of
        "edit" -> take_terminal(Session);
        "plain" -> spawn_proxy(Session, whereis(user))
    end.

%% Our caller knows a better way to say why.
connect(Node) ->
    #{level := Level} = logger:get_primary_config(),
    logger:set_primary_config(level, none),
    net_kernel:connect_node(Node) =:= true orelse halt(63),
    logger:set_primary_config(level, Level).

%% All at once: one by one each would cost a round trip.
ask(Node) ->
    Questions = [
        {erlang, system_info, [otp_release]},
        {erlang, system_info, [system_version]},
        {net_kernel, get_net_ticktime, []},
        {iex, module_info, [exports]},
        {'Elixir.IEx', module_info, [exports]}
    ],
    Keys = [rpc:async_call(Node, M, F, A) || {M, F, A} <- Questions],
    Answer = fun(Key) ->
        case rpc:nb_yield(Key, 30000) of
            {value, Value} -> Value;
            timeout -> halt(65)
        end
    end,
    lists:map(Answer, Keys).

%% Two nodes that disagree on it may take each other for dead.
follow_tick_time({ongoing_change_to, Seconds}) -> net_kernel:set_net_ticktime(Seconds);
follow_tick_time(Seconds) when is_integer(Seconds) -> net_kernel:set_net_ticktime(Seconds);
follow_tick_time(_) -> ok.

%% IEx's entry has moved over the years, into a module that a node without IEx has too.
start("iex", IEx, OldIEx, DotIex) when is_list(OldIEx) ->
    Module =
        case is_list(IEx) andalso lists:member({start, 2}, IEx) of
            true -> iex;
            false -> 'Elixir.IEx'
        end,
    {Module, start, [dot_iex(DotIex), {erlang, node, []}]};
start(_, _, _, _) ->
    {shell, start, []}.

%% By its names old and new.
dot_iex([]) -> [];
dot_iex([File]) -> [{Name, unicode:characters_to_binary(File)} || Name <- [dot_iex, dot_iex_path]].

%% Interactive shells are begun in another way before OTP 26.
take_terminal(#{node := Node, version := Version} = Session) ->
    % Jobs are listed with their arguments.
    persistent_term:put({epmux_remsh, Node}, Session),
    Shell = {epmux_remsh, shell, [Node]},
    case has_start_interactive() of
        true ->
            application:set_env(stdlib, shell_slogan, Version),
            shell:start_interactive(Shell);
        false ->
            knows_terminal() orelse halt(66),
            % user_drv starts a user that writes lines as its terminal wants them.
            unregister(user),
            user_drv:start(['tty_sl -c -e', Shell])
    end.

has_start_interactive() ->
    {module, shell} = code:ensure_loaded(shell),
    erlang:function_exported(shell, start_interactive, 1).

%% Where this OTP does not know the terminal, user_drv would go on without a shell.
knows_terminal() ->
    try open_port({spawn, "tty_sl -c -e"}, [eof]) of
        Port -> port_close(Port)
    catch
        error:_ -> false
    end.

%% Called by the group, which links itself to the pid.
shell(Node) -> spawn_proxy(persistent_term:get({epmux_remsh, Node}), group_leader()).

spawn_proxy(Session, Group) -> spawn(fun() -> proxy(started(Session#{group => Group})) end).

started(#{node := Node, group := Group, start := {M, F, A}} = Session) ->
    process_flag(trap_exit, true),
    link(Group),
    Proxy = self(),
    [Group ! {io_request, Proxy, ours, Request} || Request <- beginning(Session)],
    Starter = spawn_link(fun() ->
        group_leader(Proxy, self()),
        exit({started, rpc:call(Node, M, F, A)})
    end),
    Session#{starter => Starter, shell => none}.

%% What the group is told before the shell speaks. IEx sets its completion itself.
beginning(#{input := "plain"}) ->
    [];
beginning(#{version := Version, start := {M, _, _}} = Session) ->
    Same = has_start_interactive() orelse Version =:= erlang:system_info(system_version),
    [{put_chars, unicode, Version} || not Same] ++
        [{setopts, [{expand_fun, fun(Before) -> expand_erlang(Before, Session) end}]} || M =:= shell].

proxy(#{group := Group, starter := Starter, shell := Shell, input := Input} = Session) ->
    receive
        {io_request, From, ReplyAs, Request} ->
            request(From, ReplyAs, Request, Session),
            proxy(Session);
        {io_reply, ours, _} ->
            proxy(Session);
        {'EXIT', Starter, {started, Pid}} when is_pid(Pid) ->
            link(Pid),
            proxy(Session#{shell := Pid});
        {'EXIT', Starter, {started, Failure}} ->
            ended(Failure, Session);
        {'EXIT', Shell, Reason} ->
            ended(Reason, Session);
        {'EXIT', Group, interrupt} ->
            is_pid(Shell) andalso exit(Shell, interrupt),
            proxy(Session);
        {'EXIT', Group, Reason} ->
            % Nobody reads our output any more. Without a terminal nothing else would end us.
            Input =:= "plain" andalso halt(0),
            exit(Reason);
        {'EXIT', _, _} ->
            proxy(Session);
        Message ->
            % To who looks for a shell in our group it is the proxy.
            is_pid(Shell) andalso (Shell ! Message),
            proxy(Session)
    end.

ended(Reason, _) when Reason =:= normal; Reason =:= terminated ->
    halt(0);
ended(Reason, #{input := Input}) when Reason =:= noconnection; Reason =:= {badrpc, nodedown} ->
    % Whoever says why shall not say it behind a prompt.
    Input =:= "edit" andalso io:nl(standard_error),
    halt(65);
ended(Reason, #{node := Node}) ->
    io:format(standard_error, "~n*** ~ts: its shell has ended: ~0tP~n", [Node, Reason, 20]),
    halt(1).

%% At the end of input Erlang's shell of OTP 25 halts its node, unless it is told that its group has gone.
request(From, ReplyAs, {get_until, _, _, erl_scan, _, _} = Request, #{group := Group} = Session) ->
    spawn_link(fun() ->
        Group ! {io_request, self(), ReplyAs, rewrite(Request, From, Session)},
        receive
            {io_reply, ReplyAs, eof} -> From ! {io_reply, ReplyAs, {error, terminated}};
            {io_reply, ReplyAs, {eof, _}} -> From ! {io_reply, ReplyAs, {error, terminated}};
            {io_reply, ReplyAs, Reply} -> From ! {io_reply, ReplyAs, Reply}
        end
    end);
request(From, ReplyAs, Request, #{group := Group} = Session) ->
    Group ! {io_request, From, ReplyAs, rewrite(Request, From, Session)}.

rewrite({get_until, Encoding, Prompt, M, F, A}, _From, #{node := Node}) ->
    {get_until, Encoding, Prompt, epmux_remsh, until, [Node, M, F, A]};
rewrite({get_line, Encoding, Prompt}, _From, #{input := "edit", start := {'Elixir.IEx', _, _}}) ->
    % Elixir 1.14 and older read so, and OTP keeps such lines out of its history from 26 on.
    {get_until, Encoding, Prompt, epmux_remsh, line, []};
rewrite({setopts, Options}, From, #{node := Node}) when is_list(Options) ->
    {setopts, [option(Option, From, Node) || Option <- Options]};
rewrite({requests, Requests}, From, Session) when is_list(Requests) ->
    {requests, [rewrite(Request, From, Session) || Request <- Requests]};
rewrite(Request, _From, _Session) ->
    Request.

option({expand_fun, Fun} = Option, Shell, Node) when is_function(Fun, 1) ->
    case erlang:fun_info(Fun, module) of
        {module, epmux_remsh} -> Option;
        {module, Module} -> {expand_fun, fun(Before) -> expand(Before, Fun, Module, Shell, Node) end}
    end;
option(Option, _Shell, _Node) ->
    Option.

%% Without the shell's pid IEx would look for one at the node's own terminal, and find no variables.
expand(Before, _Fun, 'Elixir.IEx.Autocomplete' = Module, Shell, Node) ->
    expansion(rpc:call(Node, Module, expand, [Before, Shell]));
expand(Before, Fun, _Module, _Shell, Node) ->
    expansion(rpc:call(Node, erlang, apply, [Fun, [Before]])).

%% From OTP 26 on it groups what it finds, in a form that has changed since: a group before 26 gets the names alone.
expand_erlang(Before, #{node := Node, release := Release}) ->
    Arguments = [Before | [[] || Release >= 26]],
    case {expansion(rpc:call(Node, edlin_expand, expand, Arguments)), has_start_interactive()} of
        {Expansion, true} -> Expansion;
        {{Found, Added, Matches}, false} -> {Found, Added, names(Matches)}
    end.

names([]) -> [];
names([#{title := Title, elems := []} | Rest]) -> [Title | names(Rest)];
names([#{elems := Elements} | Rest]) -> names(Elements) ++ names(Rest);
names([{Name, _} | Rest]) -> [Name | names(Rest)];
names([Name | Rest]) -> [Name | names(Rest)].

expansion({badrpc, _}) -> {no, "", []};
expansion(Expansion) -> Expansion.

%% The group asks whether an expression has ended.
until(Continuation, Chars, Node, M, F, A) ->
    case rpc:call(Node, M, F, [Continuation, Chars | A]) of
        {badrpc, Reason} -> exit(Reason);
        Answer -> Answer
    end.

line(_Continuation, Line) -> {done, Line, []}.
