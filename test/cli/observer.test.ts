import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../../src/cli/erlang/failure.ts';
import { observerArguments } from '../../src/cli/erlang/observer.ts';
import { CliHome } from '../support/cli.ts';
import { ErlangHost, type ErlangNode, hasErlang } from '../support/erlang.ts';
import { leaveOut, NO_ERLANG } from '../support/left-out.ts';

/**
 * As wx_object shows its state, with the nodes somewhere in a tuple. Told to choose a menu's item
 * it says so, and its window closes.
 */
const OBSERVER_25 = `
-module(observer).
-export([start/0, init/1, handle_info/2]).
start() -> {ok, _} = gen_server:start({local, observer}, observer, [], []), ok.
init(_) -> {ok, [name, {state, frame, [], ['a@b' | nodes(connected)], false}, observer_wx]}.
handle_info({wx, Item, _, [], {wxCommand, command_menu_selected, _, _, _}}, State) ->
    io:format("item ~p~n", [Item]),
    {stop, normal, State}.
`;
const OBSERVER_27 = `
-module(observer).
-export([start/0, start/1]).
start() -> ok.
start(Node) ->
    register(observer, spawn(fun() -> receive close -> ok after 50 -> ok end end)),
    io:format("~p~n", [Node]).
`;

describe('the command of Observer', () => {
  it('has the name as an argument of its script, which is always the same', () => {
    const node = `app'".halt(9).$(x)@dyno`;
    const script = (args: readonly string[]) => args[args.lastIndexOf('-eval') + 1];
    const args = observerArguments(node);
    assert.deepEqual(args.slice(-2), ['-extra', node]);
    assert.equal(script(args), script(observerArguments('app@dyno')));
  });
});

describe('epmux observer', function () {
  this.timeout(60_000);
  let home: CliHome;
  beforeEach(async () => {
    home = await CliHome.make();
  });
  afterEach(() => home.remove());

  async function knowsNode(name: string, leading = { epmdPort: 4711, inetrc: '/inetrc' }) {
    const node = { name, dyno: null, address: '', port: 1, state: 'up' } as const;
    await home.daemon({ resolve: () => ({ node, tunnel: 'prod', leading }) });
  }

  for (const [failure, said] of [
    ['noObserver', /without Observer \(ERLANG_MISSING\)/],
    ['noWindow', /can't open a window \(wx\) \(ERLANG_MISSING\)/],
    ['noBackend', /app@dyno comes without runtime_tools \(RUNTIME_TOOLS_MISSING\)/],
  ] as const) {
    it(`says what is missing: ${failure}`, async () => {
      await knowsNode('app@dyno');
      const erl = await home.write('bin/erl', `#!/bin/sh\nexit ${Failure[failure]}\n`);
      await chmod(erl, 0o755);
      const env = { PATH: `${join(home.folder, 'bin')}:${home.env['PATH']}` };
      const { code, stderr } = await home.run(['observer'], { env });
      assert.match(stderr, said);
      assert.equal(code, 1);
    });
  }

  describe('with a real node', () => {
    let host: ErlangHost;
    let app: ErlangNode;
    before(async function () {
      if (!hasErlang()) leaveOut(this, NO_ERLANG);
      host = await ErlangHost.start();
      app = await host.node('app');
    });
    after(() => host?.stop());

    /** With an Observer of our own, which needs no display. */
    async function observe(source: string, node = app) {
      const file = await home.write('observer.erl', source);
      await app.eval(`{ok, _} = compile:file("${file}", [{outdir, "${home.folder}"}])`);
      await writeFile(join(home.folder, '.erlang.cookie'), host.cookie, { mode: 0o400 });
      await knowsNode(node.name, { epmdPort: host.epmdPort, inetrc: host.env['ERL_INETRC'] ?? '' });
      return home.run(['observer'], { env: { ERL_AFLAGS: `-pa ${home.folder}` } });
    }

    it('opens on the node, and ends with the window', async () => {
      const run = await observe(OBSERVER_27);
      assert.deepEqual(run, { code: 0, stdout: `'${app.name}'\n`, stderr: '' });
    });

    it('takes no module from the folder that it is run in', async () => {
      await observe(OBSERVER_27);
      const run = await home.run(['observer'], { env: { DISPLAY: '' } });
      assert.doesNotMatch(run.stdout, new RegExp(app.name));
      assert.notEqual(run.code, 0);
    });

    it('chooses the node in its menu where it can not be opened on one', async () => {
      const run = await observe(OBSERVER_25);
      assert.deepEqual(run, { code: 0, stdout: 'item 1002\n', stderr: '' });
    });

    it('says so when the node has no runtime_tools', async () => {
      const bare = await host.node('bare');
      await bare.eval('code:del_path(runtime_tools), code:purge(observer_backend)');
      const run = await observe(OBSERVER_27, bare);
      assert.match(run.stderr, /bare@\S+ comes without runtime_tools/);
      assert.equal(run.code, 1);
    });
  });
});
