import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { guestEnvironment } from '../../src/cli/erlang/environment.ts';
import { Failure } from '../../src/cli/erlang/failure.ts';
import { guestName } from '../../src/cli/erlang/guest.ts';
import { inputFor, type ShellWish, shellCommand } from '../../src/cli/erlang/remsh.ts';
import { CliHome, outcome } from '../support/cli.ts';
import { EPMUX } from '../support/dyno.ts';
import { ErlangHost, type ErlangNode, hasErlang, within } from '../support/erlang.ts';
import { leaveOut, NO_ELIXIR } from '../support/left-out.ts';

/** The shell's where an expression begins, or that of the menu behind Ctrl-C. */
const PROMPT = /(?<!\.)\(\w*app@[\w-]+\)\d+>|\(d\)istribution/;
const LEAVE = ['\u0003', 'a\n'];
const leading = { epmdPort: 4711, inetrc: '/state/inetrc' };

describe('the name of a guest', () => {
  it('is short for a short name and unlike any other', () => {
    const [flag, name] = guestName('my_app@dyno-1');
    assert.equal(flag, '--sname');
    assert.match(name, /^epmux-[0-9a-f]{8}$/);
    assert.notEqual(name, guestName('my_app@dyno-1')[1]);
  });

  it('is long when the host part of the node has a dot', () => {
    const [flag, name] = guestName('my_app@10.1.2.3');
    assert.equal(flag, '--name');
    assert.match(name, /^epmux-[0-9a-f]{8}@127\.0\.0\.1$/);
  });
});

describe('the environment of a guest', () => {
  it('leads it to the nodes, lets it listen nowhere and carries no secret of ours', () => {
    const env = { HOME: '/me', ERL_AFLAGS: '+sbwt none', EPMUX_SECRET: 's', EPMUX_COOKIE: 'c' };
    assert.deepEqual(guestEnvironment(env, leading), {
      HOME: '/me',
      ERL_AFLAGS: '+sbwt none -dist_listen false',
      ERL_INETRC: '/state/inetrc',
      ERL_EPMD_PORT: '4711',
    });
  });

  it('leaves a choice that the person has made', () => {
    const env = { ERL_AFLAGS: '-dist_listen true' };
    assert.equal(guestEnvironment(env, leading)['ERL_AFLAGS'], '-dist_listen true');
  });
});

describe('the command of a remote shell', () => {
  let home: CliHome;
  before(async () => {
    home = await CliHome.make();
    await chmod(await home.write('bin/erl', '#!/bin/sh\n'), 0o755);
  });
  after(() => home.remove());

  const wish = { shell: 'iex', input: 'edit', args: [] } as const;
  const command = (node: string, more: Partial<ShellWish> = {}, folder = 'bin') =>
    shellCommand(node, { ...wish, ...more }, { PATH: join(home.folder, folder) });
  const script = (args: readonly string[]) => args[args.indexOf('-eval') + 1];
  const forScript = (args: readonly string[]) => args.slice(args.indexOf('-extra') + 1);

  it('is a hidden erl of a name that fits', () => {
    const { program, args } = command('app@dyno');
    assert.equal(program, join(home.folder, 'bin/erl'));
    assert.equal(args[0], '-sname');
    assert.equal(args[2], '-hidden');
    assert.equal(command('app@10.0.0.1').args[0], '-name');
  });

  it('has what comes from outside in arguments of its script, which is always the same', () => {
    const node = `app'".halt(9).$(x)@dyno`;
    const { args } = command(node, { shell: 'erl', input: 'plain' });
    assert.deepEqual(forScript(args), [node, 'erl', 'plain']);
    assert.equal(args.filter((word) => word.includes('halt(9)')).length, 1);
    assert.equal(script(args), script(command('app@dyno').args));
  });

  it('lets nothing but the shell read in a terminal, and user where there is none', () => {
    assert.ok(command('app@dyno').args.includes('-noinput'));
    const { args } = command('app@dyno', { input: 'plain' });
    assert.ok(args.includes('-noshell') && !args.includes('-noinput'));
  });

  it('hands flags to erl and a dot-iex file to IEx', () => {
    const given = ['+S', '1', '--dot-iex', 'my file.exs', '-kernel', 'shell_history', 'enabled'];
    const { args } = command('app@dyno', { args: given });
    const flags = args.slice(4, args.indexOf('-eval'));
    assert.deepEqual(flags, ['+S', '1', '-kernel', 'shell_history', 'enabled']);
    assert.deepEqual(forScript(args), ['app@dyno', 'iex', 'edit', 'my file.exs']);
    assert.throws(() => command('app@dyno', { args: ['--dot-iex'] }), { code: 'USAGE' });
  });

  it('halts with codes that are known here', async () => {
    const { env } = command('app@dyno');
    const codes = [
      ...Object.values(env)
        .join()
        .matchAll(/halt\((\d\d)\)/g),
    ].map(([, n]) => Number(n));
    const known = [Failure.noNode, Failure.connectionLost, Failure.unknownTerminal];
    assert.deepEqual(new Set(codes), new Set(known));
  });

  it('fails with ERLANG_MISSING where there is no erl', () => {
    assert.throws(() => command('app@dyno', {}, 'none'), { code: 'ERLANG_MISSING' });
  });

  it('edits lines in a terminal that can move its cursor', () => {
    assert.equal(inputFor(true, { TERM: 'xterm' }), 'edit');
    assert.equal(inputFor(false, { TERM: 'xterm' }), 'plain');
    assert.equal(inputFor(true, { TERM: 'dumb' }), 'plain');
    assert.equal(inputFor(true, {}), 'plain');
  });
});

describe('epmux remsh', function () {
  this.timeout(60_000);
  let home: CliHome;

  beforeEach(async () => {
    home = await CliHome.make();
  });
  afterEach(() => home.remove());

  async function knowsNode(name: string, lead = leading, more = {}): Promise<void> {
    const node = { name, dyno: null, address: '127.0.0.1', port: 1, state: 'up', ...more } as const;
    await home.daemon({ resolve: () => ({ node, tunnel: 'prod', leading: lead }) });
  }

  async function fakeErl(script: string): Promise<Record<string, string>> {
    await chmod(await home.write('bin/erl', `#!/bin/sh\n${script}\n`), 0o755);
    return { PATH: `${join(home.folder, 'bin')}:${home.env['PATH']}` };
  }

  /** `epmux` in a terminal of its own. */
  function inTerminal(args: readonly string[], env: Readonly<Record<string, string>>) {
    // Without exec a shell may stay between: Ctrl-C ends it too, and its code hides ours.
    const command = ['exec', ...[...EPMUX, ...args].map((word) => `'${word}'`)].join(' ');
    const child = spawn('script', ['-qec', command, '/dev/null'], { cwd: home.folder, env });
    let said = '';
    const ended = within(once(child, 'close'), () => said)
      .then(([code]) => ({ code: code as number | null, said }))
      // The terminal goes away under a shell that stays, which ends with it.
      .finally(() => child.kill('SIGKILL'));
    return {
      ended,
      write: (text: string) => void child.stdin.write(text),
      onOutput(take: (said: string) => void) {
        child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
          said += chunk;
          take(said);
        });
      },
    };
  }

  it("exits with the shell's code", async () => {
    await knowsNode('app@dyno');
    const env = await fakeErl('exit 7');
    assert.equal((await home.run(['remsh'], { env })).code, 7);
  });

  it('exits with 128+n when a signal ended the shell', async () => {
    await knowsNode('app@dyno');
    const env = await fakeErl('kill -TERM $$');
    assert.equal((await home.run(['remsh'], { env })).code, 143);
  });

  it('leaves Ctrl-C to the shell', async () => {
    await knowsNode('app@dyno');
    const env = await fakeErl('echo ready\nread line\nexit 3');
    const child = home.start(['remsh'], { env });
    child.stdout?.once('data', () => {
      child.kill('SIGINT');
      child.stdin?.end('on\n');
    });
    assert.deepEqual(await outcome(child, 'remsh'), { code: 3, stdout: 'ready\n', stderr: '' });
  });

  it('goes on without line editing in a terminal that this Erlang does not know', async () => {
    await knowsNode('app@dyno');
    const script = `case "$*" in *" edit") exit ${Failure.unknownTerminal};; *" plain") exit 4;; esac`;
    const env = { ...home.env, ...(await fakeErl(script)), TERM: 'xterm' };
    const terminal = inTerminal(['remsh'], env);
    terminal.onOutput(() => undefined);
    const { code, said } = await terminal.ended;
    assert.match(said, /does not know the terminal/);
    assert.equal(code, 4);
  });

  it('says why a node can not be led to', async () => {
    await knowsNode('app', leading, { unreachable: 'its full name is not known yet' });
    const run = await home.run(['remsh']);
    assert.equal(run.code, 3);
    assert.match(run.stderr, /app can't be reached: its full name .*\(NODE_UNREACHABLE\)\nhint: /);
  });

  describe('with a real node', () => {
    let host: ErlangHost;
    let app: ErlangNode;
    let plain: ErlangNode;

    before(async function () {
      if (!hasErlang('elixir')) leaveOut(this, NO_ELIXIR);
      host = await ErlangHost.start();
      [app, plain] = await Promise.all([
        host.node('app', { elixir: true }),
        host.node('plain_app'),
      ]);
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

    /** What the shell prints in a terminal while `lines` are typed, one at each prompt, and what it exits with. */
    async function type(
      args: readonly string[],
      lines: readonly string[],
      { to = app, cookie = host.cookie } = {},
    ) {
      await ready(to, cookie);
      const env = { ...home.env, TERM: 'xterm', NO_COLOR: '1' };
      const terminal = inTerminal(['remsh', ...args], env);
      const rest = [...lines];
      let seen = 0;
      terminal.onOutput((said) => {
        const prompt = PROMPT.exec(said.slice(seen));
        const next = prompt === null ? undefined : rest.shift();
        if (prompt === null || next === undefined) return;
        seen = said.length;
        terminal.write(next);
      });
      return terminal.ended;
    }

    /** The same without a terminal. */
    async function pipe(args: readonly string[], stdin: string) {
      await ready(app);
      return home.run(['remsh', ...args], { stdin });
    }

    const facts = '{node(), Node.list(:hidden), length(elem(:net_adm.names(), 1))}';

    it('opens its IEx, hidden and not registered, and is left by Ctrl-C', async () => {
      const { code, said } = await type([], [`IO.inspect(${facts}, label: "facts")\r`, ...LEAVE]);
      assert.match(
        said,
        new RegExp(`facts: \\{:"${app.name}", \\[:"epmux-[0-9a-f]{8}@[^"]+"\\], 2\\}`),
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
});
