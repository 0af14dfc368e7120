import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CliHome } from '../support/cli.ts';
import { EPMUX } from '../support/dyno.ts';
import { ErlangHost, type ErlangNode, hasErlang, within } from '../support/erlang.ts';
import { leaveOut, NO_ELIXIR } from '../support/left-out.ts';
import { inTerminal, type as typeKeys } from '../support/terminal.ts';

/** The shell's where an expression begins, or that of the menu behind Ctrl-C. */
const PROMPT = /(?<!\.)\(\w*app@[\w-]+\)\d+>|\(d\)istribution/;
const LEAVE = ['\u0003', 'a\n'];

describe('epmux remsh, with a real node', function () {
  this.timeout(60_000);
  let home: CliHome;
  let host: ErlangHost;
  let app: ErlangNode;
  let plain: ErlangNode;

  beforeEach(async () => {
    home = await CliHome.make();
  });
  afterEach(() => home.remove());

  before(async function () {
    if (!hasErlang('elixir')) leaveOut(this, NO_ELIXIR);
    host = await ErlangHost.start();
    [app, plain] = await Promise.all([host.node('app', { elixir: true }), host.node('plain_app')]);
  });
  after(() => host?.stop());

  /** `node` is known, and the cookie of the person is this one. */
  async function ready(node: ErlangNode, cookie = host.cookie): Promise<void> {
    await writeFile(join(home.folder, '.erlang.cookie'), cookie, { mode: 0o400 });
    const error = { code: 'COOKIE_REFUSED', message: 'another cookie', at: '' } as const;
    const leading = { epmdPort: host.epmdPort, inetrc: host.env['ERL_INETRC'] ?? '' };
    const known = { name: node.name, dyno: null, address: '', port: 1, state: 'up' } as const;
    await home.daemon({
      resolve: () => ({ node: known, tunnel: 'prod', leading }),
      ping: () => ({ node: node.name, pong: false, rttMs: null, error }),
    });
  }

  /**
   * What the shell prints in a terminal while `lines` are typed, one at each prompt, and what it
   * exits with.
   */
  async function type(
    args: readonly string[],
    lines: readonly string[],
    { to = app, cookie = host.cookie } = {},
  ) {
    await ready(to, cookie);
    const env = { ...home.env, TERM: 'xterm', NO_COLOR: '1' };
    const terminal = inTerminal([...EPMUX, 'remsh', ...args], { cwd: home.folder, env });
    typeKeys(
      terminal,
      lines.map((text) => ({ after: PROMPT, text })),
    );
    return terminal.ended;
  }

  /** The same without a terminal. */
  async function pipe(args: readonly string[], stdin: string) {
    await ready(app);
    return home.run(['remsh', ...args], { stdin });
  }

  it('takes no module from the folder that it is run in, and works there', async () => {
    const repository = join(home.folder, 'repository');
    const trap = (module: string) =>
      `-module(${module}).\n-on_load(spring/0).\nspring() -> file:write_file("${repository}/${module}.sprung", "").\n`;
    for (const module of ['compile', 'logger_sup', 'rpc', 'erl_scan']) {
      const file = await home.write(`repository/${module}.erl`, trap(module));
      await app.eval(`{ok, _} = compile:file("${file}", [{outdir, "${repository}"}])`);
    }
    await ready(app);
    const options = { cwd: repository, stdin: 'IO.puts("works " <> to_string(node()))\n' };
    const plain = await home.run(['remsh'], options);
    assert.match(plain.stdout, new RegExp(`works ${app.name}`), plain.stderr);
    assert.equal(plain.code, 0);
    const sprung = () => readdirSync(repository).filter((name) => name.endsWith('.sprung'));
    assert.deepEqual(sprung(), []);
    const own = await home.write(
      'repository/ebin/own.erl',
      '-module(own).\n-export([here/0]).\nhere() -> file:write_file("here", "").\n',
    );
    await app.eval(`{ok, _} = compile:file("${own}", [{outdir, "${repository}/ebin"}])`);
    const told = await home.run(['remsh', '--', '-pa', 'ebin', '-s', 'own', 'here'], options);
    assert.equal(told.code, 0, told.stderr);
    assert.deepEqual(sprung(), []);
    assert.ok(readdirSync(repository).includes('here'));
  });

  const facts = '{node(), Node.list(:hidden), length(elem(:net_adm.names(), 1))}';

  it('opens its IEx, hidden and not registered, and is left by Ctrl-C', async () => {
    const { code, said } = await type([], [`IO.inspect(${facts}, label: "facts")\r`, ...LEAVE]);
    assert.match(
      said,
      new RegExp(`facts: \\{:"${app.name}", \\[:"remsh-epmux-[0-9a-f]{8}@[^"]+"\\], 2\\}`),
    );
    assert.equal(code, 0, said);
  });

  it('completes words there', async () => {
    const { said } = await type([], ['Enum.revers\t([1, 2], [:tail])\r', ...LEAVE]);
    assert.match(said, /\[2, 1, :tail\]/);
  });

  it('reads an expression of several lines, and edits them', async () => {
    const { said } = await type([], ['Enum.sum([1,\r2, 4\x7f3])\r', ...LEAVE]);
    assert.match(said, /^6\r$/m);
  });

  it('says when the connection is lost', async () => {
    const leave = ':erlang.disconnect_node(hd(Node.list(:hidden)))\r';
    const { code, said } = await type([], [leave]);
    assert.match(said, /epmux: the connection to app@\S+ is lost \(NODE_UNREACHABLE\)/);
    assert.equal(code, 3);
  });

  for (const [name, args, line] of [
    ['IEx', [], 'IO.puts("in #{node()}")\n'],
    ['Erlang’s shell', ['--erl'], 'io:put_chars([<<"in ">>, atom_to_list(node()), $\\n]).\n'],
  ] as const) {
    it(`reads a pipe to its end, which ends ${name} and never the node`, async () => {
      const { code, stdout } = await pipe(args, line);
      assert.match(stdout, new RegExp(`in ${app.name}\n`));
      assert.equal(code, 0);
      assert.equal(await app.eval('1 + 1'), '2');
    });
  }

  for (const [name, args, line] of [
    ['IEx', [], 'Enum.to_list(1..100)\n'],
    ['Erlang’s shell', ['--erl'], 'lists:seq(1, 100).\n'],
  ] as const) {
    it(`ends ${name}, and never the node, when nobody reads its output any more`, async () => {
      await ready(app);
      const child = home.start(['remsh', ...args]);
      child.stdin?.on('error', () => undefined);
      child.stdin?.write(line);
      child.stdout?.once('data', () => {
        child.stdout?.destroy();
        child.stdin?.end(line.repeat(20));
      });
      assert.deepEqual(await within(once(child, 'exit'), () => 'epmux stays'), [0, null]);
      assert.equal(await app.eval('length(nodes(hidden))'), '0');
    });
  }

  it('sets IEx up with a dot-iex file', async () => {
    const file = await home.write('my iex.exs', 'dotted = :from_file');
    const { stdout } = await pipe(['--', '--dot-iex', file], 'IO.inspect({dotted})\n');
    assert.match(stdout, /\{:from_file\}/);
  });

  it('says why it could not connect', async () => {
    const { code, said } = await type([], [], { cookie: 'ANOTHER' });
    assert.match(said, /epmux: another cookie \(COOKIE_REFUSED\)/);
    assert.equal(code, 5);
  });

  it('opens Erlang’s shell where there is no IEx', async () => {
    const line = 'io:put_chars([atom_to_list(node()), "<", "done>"]).\n';
    const { said } = await type([], [line, ...LEAVE], { to: plain });
    assert.match(said, new RegExp(`${plain.name}<done>`));
  });

  it('opens Erlang’s shell with --erl', async () => {
    const line = 'io:put_chars([atom_to_list(node()), "<", "done>"]).\n';
    const { said } = await type(['--erl'], [line, ...LEAVE]);
    assert.match(said, new RegExp(`${app.name}<done>`));
  });
});
