import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { guestEnvironment } from '../../src/cli/erlang/environment.ts';
import { guestName } from '../../src/cli/erlang/guest.ts';
import { erlCommand, iexCommand, shellCommand } from '../../src/cli/erlang/remsh.ts';
import { CliHome, outcome } from '../support/cli.ts';
import { EPMUX } from '../support/dyno.ts';
import { ErlangHost, type ErlangNode, hasErlang, within } from '../support/erlang.ts';

/** The shell's, or that of the menu behind Ctrl-C. */
const PROMPT = /app@[\w-]+\)\d+>|\(d\)istribution/;
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
    for (const name of ['with/iex', 'with/erl', 'without/erl']) {
      await chmod(await home.write(name, '#!/bin/sh\n'), 0o755);
    }
  });
  after(() => home.remove());

  const env = (folder: string) => ({ PATH: join(home.folder, folder) });

  it('is erl with a script that takes the name as an argument', () => {
    const { program, args } = shellCommand("app'x@dyno", env('without'));
    assert.equal(program, join(home.folder, 'without/erl'));
    assert.equal(args[0], '-sname');
    assert.equal(args.filter((word) => word.includes("app'x@dyno")).length, 1);
    assert.equal(args.at(-1), "app'x@dyno");
  });

  it('is iex for who has options for it, where there is one', () => {
    const command = iexCommand('app@dyno', ['--dot-iex', 'x'], env('with'));
    assert.equal(command?.program, join(home.folder, 'with/iex'));
    assert.equal(command.args[0], '--sname');
    assert.deepEqual(command.args.slice(2), ['--remsh', 'app@dyno', '--dot-iex', 'x']);
    assert.equal(iexCommand('app@dyno', [], env('without')), undefined);
  });

  it('is erl -remsh when asked for', () => {
    const { program, args } = erlCommand('app@10.0.0.1', ['+S', '1'], env('with'));
    assert.equal(program, join(home.folder, 'with/erl'));
    assert.equal(args[0], '-name');
    assert.deepEqual(args.slice(2), ['-hidden', '-remsh', 'app@10.0.0.1', '+S', '1']);
  });

  it('fails with ERLANG_MISSING where there is no erl', () => {
    assert.throws(() => shellCommand('app@dyno', env('none')), { code: 'ERLANG_MISSING' });
    assert.throws(() => erlCommand('app@dyno', [], env('none')), { code: 'ERLANG_MISSING' });
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

  async function fakeIex(script: string): Promise<Record<string, string>> {
    await chmod(await home.write('bin/iex', `#!/bin/sh\n${script}\n`), 0o755);
    return { PATH: `${join(home.folder, 'bin')}:${home.env['PATH']}` };
  }

  it("exits with the shell's code", async () => {
    await knowsNode('app@dyno');
    const env = await fakeIex('exit 7');
    assert.equal((await home.run(['remsh', '--', '-x'], { env })).code, 7);
  });

  it('exits with 128+n when a signal ended the shell', async () => {
    await knowsNode('app@dyno');
    const env = await fakeIex('kill -TERM $$');
    assert.equal((await home.run(['remsh', '--', '-x'], { env })).code, 143);
  });

  it('leaves Ctrl-C to the shell', async () => {
    await knowsNode('app@dyno');
    const env = await fakeIex('echo ready\nread line\nexit 3');
    const child = home.start(['remsh', '--', '-x'], { env });
    child.stdout?.once('data', () => {
      child.kill('SIGINT');
      child.stdin?.end('on\n');
    });
    assert.deepEqual(await outcome(child, 'remsh'), { code: 3, stdout: 'ready\n', stderr: '' });
  });

  it('needs a terminal', async () => {
    await knowsNode('app@dyno');
    const run = await home.run(['remsh']);
    assert.equal(run.code, 2);
    assert.match(run.stderr, /needs a terminal \(USAGE\)\nhint: /);
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
      if (!hasErlang('elixir')) this.skip();
      host = await ErlangHost.start();
      [app, plain] = await Promise.all([
        host.node('app', { elixir: true }),
        host.node('plain_app'),
      ]);
    });
    after(() => host?.stop());

    /** What the shell prints in a terminal while `lines` are typed, one at each prompt, and what it exits with. */
    async function type(
      args: readonly string[],
      lines: readonly string[],
      { to = app, cookie = host.cookie } = {},
    ) {
      await writeFile(join(home.folder, '.erlang.cookie'), cookie, { mode: 0o400 });
      const lead = { epmdPort: host.epmdPort, inetrc: host.env['ERL_INETRC'] ?? '' };
      const error = { code: 'COOKIE_REFUSED', message: 'another cookie', at: '' } as const;
      const node = { name: to.name, dyno: null, address: '', port: 1, state: 'up' } as const;
      await home.daemon({
        resolve: () => ({ node, tunnel: 'prod', leading: lead }),
        ping: () => ({ node: to.name, pong: false, rttMs: null, error }),
      });
      const command = [...EPMUX, 'remsh', ...args].map((word) => `'${word}'`).join(' ');
      const env = { ...home.env, TERM: 'xterm', NO_COLOR: '1' };
      const child = spawn('script', ['-qec', command, '/dev/null'], { cwd: home.folder, env });
      const rest = [...lines];
      let said = '';
      let seen = 0;
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
        said += chunk;
        const prompt = PROMPT.exec(said.slice(seen));
        const next = prompt === null ? undefined : rest.shift();
        if (prompt === null || next === undefined) return;
        seen = said.length;
        child.stdin.write(next);
      });
      try {
        const [code] = await within(once(child, 'close'), () => said);
        return { code, said };
      } finally {
        // The terminal goes away under a shell that stays, which ends with it.
        child.kill('SIGKILL');
      }
    }

    const facts = '{node(), Node.list(:hidden), length(elem(:net_adm.names(), 1))}';

    it('opens its IEx, hidden and not registered, and is left by Ctrl-C', async () => {
      const { code, said } = await type([], [`IO.inspect(${facts}, label: "facts")\r`, ...LEAVE]);
      assert.match(
        said,
        new RegExp(`facts: \\{:"${app.name}", \\[:"epmux-[0-9a-f]{8}@[^"]+"\\], 2\\}`),
      );
      assert.equal(code, 130, said);
    });

    it('completes words there', async () => {
      const { said } = await type([], ['Enum.revers\t([1, 2], [:tail])\r', ...LEAVE]);
      assert.match(said, /\[2, 1, :tail\]/);
    });

    it('says when the connection is lost, and ends with 1', async () => {
      const leave = ':erlang.disconnect_node(hd(Node.list(:hidden)))\r';
      const { code, said } = await type([], [leave]);
      assert.match(said, new RegExp(`\\*\\*\\* ${app.name}: the connection is lost`));
      assert.equal(code, 1);
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
