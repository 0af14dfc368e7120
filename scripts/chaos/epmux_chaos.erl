%% The Erlang side of the chaos run, on both sides of the tunnel: calls in flight, numbered messages, large binaries and a pulse, each judged where it arrives.
%% Whoever starts something here does so only while the nodes are connected: only keep/1 connects them.
-module(epmux_chaos).
-export([serve/0, keep/1, feed/1, call/3, carry/2, beat/1]).
-export([quiet/1, hold/0, release/0, stop/0, work/3, blob/2, digest/1]).
-export([books/0, failures/0, executed/0, resumed/2, pauses/0, reset_pauses/0]).

-define(BOOKS, epmux_chaos_books).
-define(DONE, epmux_chaos_done).
-define(FAILED, epmux_chaos_failed).
-define(SINK, epmux_chaos_sink).
-define(PULSE, epmux_chaos_pulse).
-define(BULK, epmux_chaos_bulk).
-define(CALL_LIMIT_MS, 600000).
-define(WAIT_MS, 20).
-define(QUIET_MS, 500).
-define(PULSE_MS, 50).
-define(KEEP_MS, 100).
%% Silence between two pulses that nobody notices.
-define(UNNOTICED_MS, 1000).
-define(MAX_FAILURES, 20000).

%% What the others talk to: the tables, and the sink of numbered messages.
serve() ->
    Caller = self(),
    spawn(fun() ->
        _ = [ets:new(Table, [named_table, public]) || Table <- [?BOOKS, ?DONE]],
        _ = ets:new(?FAILED, [named_table, public, bag]),
        register(?SINK, spawn(fun() -> sink(#{}) end)),
        Caller ! {self(), ready},
        receive never -> ok end
    end),
    receive {_, ready} -> ok end.

%% Connects to Node whenever they are not connected.
keep(Node) -> start(fun() -> kept(Node) end).

kept(Node) ->
    lists:member(Node, nodes(connected)) orelse net_kernel:connect_node(Node),
    timer:sleep(?KEEP_MS),
    ets:member(?BOOKS, stopped) orelse kept(Node).

%% Numbered messages to the sink of Node, a few at a time.
feed(Node) -> start(fun() -> feed(Node, 1) end).

feed(Node, Seq) ->
    case wait_for(Node) of
        stopped -> ok;
        connected ->
            Sent = feed(Node, Seq, rand:uniform(5)),
            timer:sleep(case is_quiet() of
                true -> ?QUIET_MS;
                false -> 20 + rand:uniform(30)
            end),
            feed(Node, Sent)
    end.

feed(_Node, Seq, 0) -> Seq;
feed(Node, Seq, More) ->
    Payload = rand:bytes(rand:uniform(400)),
    Message = {numbered, node(), Seq, erlang:crc32(Payload), Payload},
    case erlang:send({?SINK, Node}, Message, [noconnect]) of
        ok ->
            put_last(Node, Seq),
            feed(Node, Seq + 1, More - 1);
        noconnect -> Seq
    end.

put_last(Node, Seq) -> ets:insert(?BOOKS, {{sent_to, Node}, Seq}).

%% By sender: the next number, and those that were left out. What is lost in a nodedown is told apart from what is lost without one.
sink(Senders) ->
    receive
        {numbered, From, Seq, Crc, Payload} ->
            Sender = maps:get(From, Senders, undefined),
            erlang:crc32(Payload) =:= Crc orelse count(corrupted),
            sink(Senders#{From => numbered(From, Seq, known(From, Sender))});
        {nodedown, From} ->
            #{From := {Next, Missing, _}} = Senders,
            sink(Senders#{From => {Next, Missing, down}})
    end.

known(From, undefined) ->
    monitor_node(From, true),
    {1, #{}, up};
known(From, {Next, Missing, down}) ->
    monitor_node(From, true),
    {Next, Missing, again};
known(_From, Sender) -> Sender.

numbered(_From, Seq, {Next, Missing, Link}) when Seq >= Next ->
    count(received),
    count(case Link of again -> lost_in_nodedowns; up -> lost end, Seq - Next),
    {Seq + 1, left_out(Next, Seq - 1, Missing), up};
numbered(_From, Seq, {Next, Missing, _Link}) ->
    case maps:is_key(Seq, Missing) of
        true ->
            count(reordered),
            {Next, maps:remove(Seq, Missing), up};
        false ->
            count(doubled),
            {Next, Missing, up}
    end.

left_out(First, Last, Missing) when First > Last -> Missing;
left_out(First, Last, Missing) -> left_out(First + 1, Last, Missing#{First => []}).

%% So many callers at once: most calls are short, one in twenty takes up to LongestMs.
call(Node, Callers, LongestMs) ->
    [start(fun() -> calls(Node, LongestMs) end) || _ <- lists:seq(1, Callers)],
    ok.

calls(Node, LongestMs) ->
    case wait_for(Node) of
        stopped -> ok;
        connected ->
            is_quiet() andalso timer:sleep(?WAIT_MS),
            is_quiet() orelse called(Node, duration(LongestMs)),
            calls(Node, LongestMs)
    end.

called(Node, Ms) ->
    Id = {node(), erlang:unique_integer([positive])},
    Bytes = rand:uniform(20000),
    judged(call, fun() ->
        Answer = erpc:call(Node, ?MODULE, work, [Id, Ms, Bytes], ?CALL_LIMIT_MS),
        {Id, blob(Id, Bytes)} =:= Answer orelse count(wrong),
        count(bytes, Bytes)
    end).

duration(LongestMs) ->
    case rand:uniform(20) of
        1 -> rand:uniform(LongestMs);
        N when N < 5 -> rand:uniform(min(2000, LongestMs));
        _ -> rand:uniform(200)
    end.

%% At the far end.
work(Id, Ms, Bytes) ->
    ets:update_counter(?DONE, Id, 1, {Id, 0}),
    timer:sleep(Ms),
    {Id, blob(Id, Bytes)}.

%% Binaries of so many bytes, there and back in turn, held against their digest.
carry(Node, Bytes) ->
    start(fun() ->
        register(?BULK, self()),
        carry(Node, Bytes, 1)
    end).

carry(Node, Bytes, N) ->
    held(),
    case wait_for(Node) of
        stopped -> ok;
        connected ->
            Seed = {node(), N},
            ok = judged(binary, fun() -> carried(Node, Bytes, Seed, N rem 2) end),
            timer:sleep(1000),
            carry(Node, Bytes, N + 1)
    end.

carried(Node, Bytes, Seed, 0) ->
    Blob = blob(Seed, Bytes),
    There = erpc:call(Node, ?MODULE, digest, [Blob], ?CALL_LIMIT_MS),
    There =:= digest(Blob) orelse count(wrong),
    count(bytes, Bytes);
carried(Node, Bytes, Seed, 1) ->
    Blob = erpc:call(Node, ?MODULE, blob, [Seed, Bytes], ?CALL_LIMIT_MS),
    digest(Blob) =:= digest(blob(Seed, Bytes)) orelse count(wrong),
    count(bytes, Bytes).

%% As a shell that nobody types into: no new calls, two messages a second.
quiet(IsQuiet) -> ets:insert(?BOOKS, {quiet, IsQuiet}).

is_quiet() -> ets:lookup(?BOOKS, quiet) =:= [{quiet, true}].

%% hold() returns when no binary is on its way, and none sets out until release().
hold() -> ask(?BULK, hold).
release() -> ask(?BULK, release).

held() ->
    receive
        {Caller, hold} ->
            Caller ! {?BULK, ok},
            holding();
        {Caller, release} ->
            Caller ! {?BULK, ok},
            held()
    after 0 -> garbage_collect()
    end.

holding() ->
    receive
        {Caller, hold} ->
            Caller ! {?BULK, ok},
            holding();
        {Caller, release} ->
            Caller ! {?BULK, ok},
            held()
    end.

ask(Name, Question) ->
    case whereis(Name) of
        undefined -> none;
        Pid ->
            Monitor = monitor(process, Pid),
            Pid ! {self(), Question},
            receive
                {Name, Answer} -> demonitor(Monitor, [flush]), Answer;
                {'DOWN', Monitor, process, Pid, _} -> none
            end
    end.

blob(Seed, Bytes) ->
    Key = erlang:md5(term_to_binary(Seed)),
    crypto:crypto_one_time(aes_128_ctr, Key, <<0:128>>, <<0:(8 * Bytes)>>, true).

digest(Blob) -> crypto:hash(sha256, Blob).

%% Counts a success, or notes when it was begun and when and why it failed (system time, ms).
judged(What, Run) ->
    count({begun, What}),
    Begun = now_ms(),
    try Run() of
        _ -> count({done, What})
    catch
        Class:Reason ->
            count({failed, What}),
            ets:info(?FAILED, size) < ?MAX_FAILURES andalso
                ets:insert(?FAILED, {What, Begun, now_ms(), {Class, Reason}})
    end,
    ok.

%% A message to Node's pulse and back each 50 ms, from a node with nothing else to do: when the path carries again.
beat(Node) ->
    start(fun() ->
        register(?PULSE, self()),
        pulse(Node, #{last => now_ms(), longest => 0, silent => 0, waiting => [], due => 0})
    end).

pulse(Node, #{last := Last, longest := Longest, silent := Silent} = State) ->
    Wait = max(0, maps:get(due, State) - now_ms()),
    receive
        {pong, SentAt} ->
            Now = now_ms(),
            Gap = Now - Last,
            pulse(Node, answered(SentAt, Now, State#{
                last := Now,
                longest := max(Longest, Gap),
                silent := Silent + max(0, Gap - ?UNNOTICED_MS)
            }));
        {resumed, Caller, SentAfter, After} ->
            pulse(Node, State#{waiting := [{Caller, SentAfter, After} | maps:get(waiting, State)]});
        {Caller, pauses} ->
            Gap = now_ms() - Last,
            Caller ! {?PULSE, {max(Longest, Gap), Silent + max(0, Gap - ?UNNOTICED_MS)}},
            pulse(Node, State);
        {Caller, reset} ->
            Caller ! {?PULSE, ok},
            pulse(Node, State#{last := now_ms(), longest := 0, silent := 0});
        stop -> ok
    after Wait ->
        lists:member(Node, nodes(connected)) andalso
            erlang:spawn(Node, erlang, send, [self(), {pong, now_ms()}]),
        pulse(Node, State#{due := now_ms() + ?PULSE_MS})
    end.

answered(SentAt, Now, #{waiting := Waiting} = State) ->
    {Fit, Left} = lists:partition(
        fun({_, SentAfter, After}) -> SentAt >= SentAfter andalso Now >= After end, Waiting),
    [Caller ! {resumed, Now} || {Caller, _, _} <- Fit],
    State#{waiting := Left}.

%% When (system time, ms) a pulse came back, not before After, that was sent not before SentAfter.
resumed(SentAfter, After) ->
    ?PULSE ! {resumed, self(), SentAfter, After},
    receive {resumed, Now} -> Now end.

%% {the longest time without a pulse, all time without one beyond a second}, in ms, since reset_pauses().
pauses() -> ask(?PULSE, pauses).
reset_pauses() -> ask(?PULSE, reset).

%% Everything begun with start/1 finishes what it is at, and nothing new begins.
stop() ->
    ets:insert(?BOOKS, {stopped, true}),
    _ = ask(?BULK, release),
    whereis(?PULSE) =:= undefined orelse (?PULSE ! stop),
    stopped([Pid || {{worker, Pid}} <- ets:tab2list(?BOOKS)]).

stopped(Pids) ->
    Monitors = [monitor(process, Pid) || Pid <- Pids],
    [receive {'DOWN', Monitor, process, _, _} -> ok end || Monitor <- Monitors],
    ok.

start(Run) ->
    Pid = spawn(Run),
    ets:insert(?BOOKS, {{worker, Pid}}),
    ok.

wait_for(Node) ->
    case {ets:member(?BOOKS, stopped), lists:member(Node, nodes(connected))} of
        {true, _} -> stopped;
        {false, true} -> connected;
        {false, false} ->
            timer:sleep(?WAIT_MS),
            wait_for(Node)
    end.

count(What) -> count(What, 1).
count(What, By) -> ets:update_counter(?BOOKS, What, By, {What, 0}).

now_ms() -> os:system_time(millisecond).

%% As text in base64, a line each: name value.
books() -> as_text([line(Row) || Row <- lists:sort(ets:tab2list(?BOOKS))]).

line({{sent_to, _}, Last}) -> io_lib:format("sent ~b~n", [Last]);
line({{How, What}, Count}) -> io_lib:format("~s_~s ~b~n", [What, How, Count]);
line({What, Count}) when is_integer(Count) -> io_lib:format("~s ~b~n", [What, Count]);
line(_) -> "".

failures() ->
    as_text([io_lib:format("~s ~b ~b ~0tp~n", [What, Begun, Failed, Reason])
     || {What, Begun, Failed, Reason} <- ets:tab2list(?FAILED)]).

as_text(Lines) -> base64:encode_to_string(unicode:characters_to_binary(Lines)).

%% {ids of calls that ran here, those that ran more than once}
executed() ->
    Doubled = ets:select_count(?DONE, [{{'_', '$1'}, [{'>', '$1', 1}], [true]}]),
    {ets:info(?DONE, size), Doubled}.
