/**
 * The program a test node runs: it reads `ID BASE64(expression)` lines on stdin, evaluates them
 * beside each other, and tells on stdout in lines that begin with `@epmux@`: `ready`, `ok ID`,
 * `error ID`, `nodeup TYPE`, `nodedown TYPE REASON`, each with base64 text behind. Everything else
 * on stdout is the node's log. At the end of stdin the node halts, so no node outlives the test
 * process.
 */
export const CONTROL_MARK = '@epmux@';

export const CONTROL_PROGRAM = `
  Tell = fun(Words, Term) ->
    Text = unicode:characters_to_binary(io_lib:format("~0tp", [Term])),
    io:put_chars(user, ["${CONTROL_MARK}", [[$\\s, W] || W <- Words], $\\s, base64:encode(Text), $\\n])
  end,
  spawn(fun() ->
    net_kernel:monitor_nodes(true, [{node_type, all}, nodedown_reason]),
    Tell(["ready"], node()),
    (fun Watch() ->
      receive
        {nodeup, Node, Info} ->
          Tell(["nodeup", atom_to_list(proplists:get_value(node_type, Info)), "-"], Node);
        {nodedown, Node, Info} ->
          Reason = io_lib:format("~0tp", [proplists:get_value(nodedown_reason, Info)]),
          Tell(["nodedown", atom_to_list(proplists:get_value(node_type, Info)),
                base64:encode(unicode:characters_to_binary(Reason))], Node)
      end,
      Watch()
    end)()
  end),
  Run = fun(Id, Text) ->
    try
      {ok, Tokens, _} = erl_scan:string(Text),
      {ok, Forms} = erl_parse:parse_exprs(Tokens),
      {value, Value, _} = erl_eval:exprs(Forms, []),
      Tell(["ok", Id], Value)
    catch Class:Reason -> Tell(["error", Id], {Class, Reason})
    end
  end,
  spawn(fun() ->
    (fun Read() ->
      case io:get_line(user, '') of
        Line when is_list(Line); is_binary(Line) ->
          [Id, Expr] = string:lexemes(unicode:characters_to_list(Line), " \\n"),
          spawn(fun() -> Run(Id, unicode:characters_to_list(base64:decode(Expr))) end),
          Read();
        _ -> erlang:halt(0, [{flush, false}])
      end
    end)()
  end).
`;

/**
 * The same program as an Elixir expression that runs it from the environment variable
 * `EPMUX_CONTROL`.
 */
export const CONTROL_FROM_ELIXIR = [
  'Application.ensure_all_started(:iex)',
  '{:ok, tokens, _} = :erl_scan.string(String.to_charlist(System.get_env("EPMUX_CONTROL")))',
  '{:ok, forms} = :erl_parse.parse_exprs(tokens)',
  ':erl_eval.exprs(forms, [])',
].join('; ');
