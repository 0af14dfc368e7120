import assert from 'node:assert/strict';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { guestEnvironment } from '../../src/cli/erlang/environment.ts';
import { Failure } from '../../src/cli/erlang/failure.ts';
import { guestName } from '../../src/cli/erlang/guest.ts';
import { inputFor, type ShellWish, shellCommand } from '../../src/cli/erlang/remsh.ts';
import { CliHome, outcome } from '../support/cli.ts';
import { EPMUX } from '../support/dyno.ts';
import { inTerminal } from '../support/terminal.ts';

const leading = { epmdPort: 4711, inetrc: '/state/inetrc' };

describe('the name of a guest', () => {
  it('is short for a short name and unlike any other', () => {
    const [flag, name] = guestName('my_app@dyno-1');
    assert.equal(flag, '--sname');
    assert.match(name, /^remsh-epmux-[0-9a-f]{8}$/);
    assert.notEqual(name, guestName('my_app@dyno-1')[1]);
  });

  it('is long when the host part of the node has a dot', () => {
    const [flag, name] = guestName('my_app@10.1.2.3');
    assert.equal(flag, '--name');
    assert.match(name, /^remsh-epmux-[0-9a-f]{8}@127\.0\.0\.1$/);
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

  const wish = { shell: 'iex', input: 'edit', args: [], folder: '/work' } as const;
  const command = (node: string, more: Partial<ShellWish> = {}, folder = 'bin') =>
    shellCommand(node, { ...wish, ...more }, { PATH: join(home.folder, folder) });
  const script = (args: readonly string[]) => args[args.lastIndexOf('-eval') + 1];
  const flagsOf = (args: readonly string[]) =>
    args.slice(args.indexOf('-eval') + 2, args.lastIndexOf('-eval'));
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
    assert.deepEqual(flagsOf(args), ['+S', '1', '-kernel', 'shell_history', 'enabled']);
    assert.deepEqual(forScript(args), ['app@dyno', 'iex', 'edit', 'my file.exs']);
    assert.throws(() => command('app@dyno', { args: ['--dot-iex'] }), { code: 'USAGE' });
  });

  it('finds the files of flags in the working folder', () => {
    const given = [
      '-config',
      './sys',
      '-args_file',
      'vm.args',
      '-pa',
      '.',
      '/x',
      'ebin',
      '-s',
      'a',
    ];
    assert.deepEqual(flagsOf(command('app@dyno', { args: given }).args), [
      ...['-config', '/work/sys', '-args_file', '/work/vm.args'],
      ...['-pa', '/work', '/x', '/work/ebin', '-s', 'a'],
    ]);
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
    const terminal = inTerminal([...EPMUX, 'remsh'], { cwd: home.folder, env });
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
});
