import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { guestEnvironment } from '../../src/cli/erlang/environment.ts';
import { guestName } from '../../src/cli/erlang/guest.ts';
import { remshCommand } from '../../src/cli/erlang/remsh.ts';
import { CliHome, outcome } from '../support/cli.ts';
import { EPMUX } from '../support/dyno.ts';
import { ErlangHost, type ErlangNode, hasErlang, within } from '../support/erlang.ts';

const PROMPT = /app@[\w-]+\)\d+>/;
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

  const command = (folder: string, preferErl = false) =>
    remshCommand('app@dyno', ['--dot-iex', 'x'], preferErl, { PATH: join(home.folder, folder) });

  it('is iex where there is one, with what the person adds', () => {
    const { program, args } = command('with');
    assert.equal(program, join(home.folder, 'with/iex'));
    assert.equal(args[0], '--sname');
    assert.deepEqual(args.slice(2), ['--remsh', 'app@dyno', '--dot-iex', 'x']);
  });

  it('is erl where there is no iex, or when asked for', () => {
    assert.equal(command('without').program, join(home.folder, 'without/erl'));
    const { program, args } = command('with', true);
    assert.equal(program, join(home.folder, 'with/erl'));
    assert.equal(args[0], '-sname');
    assert.deepEqual(args.slice(2, 5), ['-hidden', '-remsh', 'app@dyno']);
  });

  it('fails with ERLANG_MISSING where there is neither', () => {
    assert.throws(() => command('none'), { code: 'ERLANG_MISSING' });
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
    assert.equal((await home.run(['remsh'], { env })).code, 7);
  });

  it('exits with 128+n when a signal ended the shell', async () => {
    await knowsNode('app@dyno');
    const env = await fakeIex('kill -TERM $$');
    assert.equal((await home.run(['remsh'], { env })).code, 143);
  });

  it('leaves Ctrl-C to the shell', async () => {
    await knowsNode('app@dyno');
    const env = await fakeIex('echo ready\nread line\nexit 3');
    const child = home.start(['remsh'], { env });
    child.stdout?.once('data', () => {
      child.kill('SIGINT');
      child.stdin?.end('on\n');
    });
    assert.deepEqual(await outcome(child, 'remsh'), { code: 3, stdout: 'ready\n', stderr: '' });
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

    before(async function () {
      if (!hasErlang('elixir')) this.skip();
      host = await ErlangHost.start();
      app = await host.node('app', { elixir: true });
    });
    after(() => host?.stop());

    async function shellSays(args: readonly string[], line: string): Promise<string> {
      await writeFile(join(home.folder, '.erlang.cookie'), host.cookie, { mode: 0o400 });
      const inetrc = host.env['ERL_INETRC'] ?? '';
      await knowsNode(app.name, { epmdPort: host.epmdPort, inetrc });
      const command = [...EPMUX, 'remsh', ...args].map((word) => `'${word}'`).join(' ');
      const child = spawn('script', ['-qec', command, '/dev/null'], {
        cwd: home.folder,
        env: { ...home.env, TERM: 'xterm' },
        stdio: 'pipe',
      });
      const closed = once(child, 'close');
      let said = '';
      const done = new Promise<void>((resolve) => {
        child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
          const prompted = PROMPT.test(said);
          said += chunk;
          if (!prompted && PROMPT.test(said)) child.stdin.write(line);
          if (said.includes('<<done>>')) resolve();
        });
      });
      try {
        await within(Promise.race([done, closed]), () => said);
      } finally {
        // The terminal goes away under the shell, which ends with it.
        child.kill('SIGKILL');
        await closed;
      }
      return said;
    }

    it('opens iex in it, hidden and registered nowhere', async () => {
      const facts = '{node(), Node.list(:hidden), length(elem(:net_adm.names(), 1))}';
      const said = await shellSays(
        [],
        `IO.puts("<<" <> inspect(${facts}) <> ">> <" <> "<done>>")
`,
      );
      assert.match(
        said,
        new RegExp(`<<\\{:"${app.name}", \\[:"epmux-[0-9a-f]{8}@[^"]+"\\], 1\\}>>`),
      );
    });

    it('opens erl in it with --erl', async () => {
      const said = await shellSays(
        ['--erl'],
        'io:put_chars(["<<", atom_to_list(node()), ">> <", "<done>>"]).\n',
      );
      assert.match(said, new RegExp(`<<${app.name}>>`));
    });
  });
});
