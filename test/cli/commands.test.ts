import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { DaemonStatus, PingResult, TunnelStatus } from '../../src/daemon/control/api.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { VERSION } from '../../src/runtime/version.ts';
import { CliHome, type CliRun, outcome } from '../support/cli.ts';
import { EPMUX } from '../support/dyno.ts';
import { within } from '../support/erlang.ts';

const leading = { epmdPort: 4711, inetrc: "/home/o'brien/inetrc" };
const node = {
  name: 'app@dyno',
  dyno: null,
  address: '127.0.0.2',
  port: 4712,
  state: 'up',
} as const;
const prod: TunnelStatus = {
  name: 'prod',
  target: 'tcp://localhost:9001',
  state: 'up',
  since: '2026-01-01T00:00:00.000Z',
  reconnects: 0,
  lastError: null,
  links: [],
  nodes: [node],
};
const daemon = { pid: 1, version: '0.1.0', startedAt: '2026-01-01T00:00:00.000Z' };
const upStatus: DaemonStatus = { daemon, tunnels: [prod] };

function assertError(run: CliRun, exit: number, code: string): void {
  assert.equal(run.code, exit, run.stderr);
  assert.match(run.stderr, new RegExp(`^epmux: .* \\(${code}\\)\nhint: .*\n$`));
}

/** The one JSON document on stdout. */
function document(run: CliRun): unknown {
  return JSON.parse(run.stdout);
}

describe('the commands', function () {
  this.timeout(30_000);
  let home: CliHome;
  beforeEach(async () => {
    home = await CliHome.make();
  });
  afterEach(() => home.remove());

  describe('whatever they are', () => {
    it('exit with 2 on wrong usage, results on stdout or nothing', async () => {
      for (const argv of [['stauts'], ['status', '--jsn'], []]) {
        const run = await home.run(argv);
        assertError(run, 2, 'USAGE');
        assert.equal(run.stdout, '');
      }
    });

    it('exit with 3 when no daemon runs', async () => {
      const commands = [
        ['status'],
        ['nodes'],
        ['env'],
        ['ping'],
        ['down'],
        ['remsh'],
        ['observer'],
      ];
      const runs = await Promise.all(commands.map((argv) => home.run(argv)));
      for (const run of runs) assertError(run, 3, 'DAEMON_NOT_RUNNING');
    });

    it('fail as one JSON document too with --json, usage errors included', async () => {
      const run = await home.run(['status', '--json']);
      assertError(run, 3, 'DAEMON_NOT_RUNNING');
      assert.deepEqual(document(run), {
        error: {
          code: 'DAEMON_NOT_RUNNING',
          message: 'the epmux daemon is not running',
          hint: 'start it with `epmux up`',
        },
      });
      const wrong = await home.run(['status', '--json', '--nope']);
      assert.equal((document(wrong) as { error: { code: string } }).error.code, 'USAGE');
    });

    it('show where an error came from only when asked', async () => {
      await home.daemon({
        status: () => {
          throw new TypeError('oops');
        },
      });
      assertError(await home.run(['status']), 1, 'INTERNAL');
      for (const asked of [{ EPMUX_DEBUG: '1' }, {}]) {
        const level = asked.EPMUX_DEBUG === undefined ? ['--log-level', 'debug'] : [];
        const { stderr } = await home.run(['status', ...level], { env: asked });
        assert.match(stderr, /\n {4}at /);
      }
    });

    it('end without a word when the reader of stdout is gone', async () => {
      const nodes = Array.from({ length: 5_000 }, (_, at) => ({ ...node, name: `n${at}@dyno` }));
      await home.daemon({ status: () => ({ daemon, tunnels: [{ ...prod, nodes }] }) });
      const child = home.start(['nodes']);
      child.stdout?.once('data', () => child.stdout?.destroy());
      let stderr = '';
      child.stderr?.on('data', (chunk) => {
        stderr += chunk;
      });
      assert.deepEqual(await within(once(child, 'exit'), () => stderr), [0, null]);
      assert.equal(stderr, '');
    });

    it('exit with 130 when interrupted, and the daemon hears of it', async () => {
      let child: ChildProcess | undefined;
      const cancelled = new Promise<void>((resolve) => {
        void home
          .daemon({
            up: (_, { signal }) => {
              child?.kill('SIGINT');
              return new Promise<never>(() => signal.addEventListener('abort', () => resolve()));
            },
          })
          .then(() => {
            child = home.start(['up', '--connect', 'h:1']);
          });
      });
      await within(cancelled, () => 'up was not cancelled');
      if (child === undefined) throw new Error('epmux was not started');
      if (child.exitCode === null) await within(once(child, 'exit'), () => 'epmux stays');
      assert.equal(child.exitCode, 130);
    });

    it('are the agent’s own where it says agent', async () => {
      const [agent, version] = await Promise.all([
        home.run(['agent', '--stdoi']),
        home.run(['--version']),
      ]);
      assertError(agent, 2, 'USAGE');
      assert.match(agent.stderr, /--stdio/);
      assert.deepEqual(version, { code: 0, stdout: `epmux ${VERSION}\n`, stderr: '' });
    });

    it('print neither colour nor spinner where there is no terminal', async () => {
      await home.daemon({ status: () => upStatus });
      const run = await home.run(['status'], { env: { FORCE_COLOR: '1' } });
      assert.equal((run.stdout + run.stderr).includes('\u001b'), false);
    });
  });

  describe('up', () => {
    const result = { alreadyUp: false, tunnel: prod, leading };

    it('sends what was meant, shows the steps as talk and prints the nodes', async () => {
      let asked: unknown;
      await home.daemon({
        up: (params, call) => {
          asked = params;
          call.progress('connecting to localhost:9001');
          call.progress('the agent answers', true);
          return result;
        },
      });
      const env = { EPMUX_SECRET: 'a secret of sixteen', EPMUX_COOKIE: 'monster' };
      const run = await home.run(['up', 'prod', '--connect', 'localhost:9001'], { env });
      assert.equal(run.code, 0, run.stderr);
      assert.equal(run.stdout, 'node  app@dyno  127.0.0.2:4712\n');
      assert.equal(
        run.stderr,
        '- reaching the daemon\n- connecting to localhost:9001\n- the agent answers\n',
      );
      assert.deepEqual(asked, {
        spec: {
          name: 'prod',
          way: { kind: 'connect', host: 'localhost', port: 9001 },
          agent: 'auto',
          agentPort: 9001,
          hiddenOnly: false,
        },
        secrets: { secret: 'a secret of sixteen', cookie: 'monster' },
      });
    });

    it('says when it was up already, and prints JSON', async () => {
      await home.daemon({ up: () => ({ ...result, alreadyUp: true }) });
      const run = await home.run(['up', '--connect', 'h:1', '--json']);
      assert.match(run.stderr, /prod is up already\n$/);
      assert.deepEqual(document(run), { alreadyUp: true, tunnel: prod });
    });

    it('tells a dyno without epmd from one without a node, and leaves the tunnel', async () => {
      const lastError = { code: 'NO_EPMD', message: 'x', at: '' } as const;
      const tunnels = [
        { ...prod, nodes: [], lastError },
        { ...prod, nodes: [] },
      ];
      await home.daemon({ up: () => ({ ...result, tunnel: tunnels.shift() ?? prod }) });
      const noEpmd = await home.run(['up', '--connect', 'h:1']);
      assert.equal(noEpmd.code, 3);
      assert.match(noEpmd.stderr, /prod is up and stays up, but no epmd answers there \(NO_EPMD\)/);
      const noNode = await home.run(['up', '--connect', 'h:1']);
      assert.equal(noNode.code, 3);
      assert.match(noNode.stderr, /stays up, but no node is registered .*\(NODE_UNREACHABLE\)/);
    });

    describe('at a host whose key nobody knows', () => {
      const fingerprint = `SHA256:${'A'.repeat(43)}`;
      const given: unknown[] = [];

      beforeEach(async () => {
        given.length = 0;
        await home.daemon({
          up: ({ secrets }) => {
            given.push(secrets.acceptHostKey);
            if (secrets.acceptHostKey === fingerprint) return result;
            throw new EpmuxError('HOST_KEY_UNKNOWN', `h has the new key ${fingerprint}`, {
              details: { host: 'h', keyType: 'ssh-ed25519', fingerprint },
            });
          },
        });
      });

      async function answering(answer: string): Promise<{ code: number; said: string }> {
        const command = [...EPMUX, 'up', '--ssh', 'h'].map((word) => `'${word}'`).join(' ');
        const env = { ...home.env, TERM: 'xterm' };
        const child = spawn('script', ['-qec', command, '/dev/null'], { cwd: home.folder, env });
        let said = '';
        child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
          const asked = said.includes('[y/N]');
          said += chunk;
          if (!asked && said.includes('[y/N]')) child.stdin.write(answer);
        });
        const [code] = await within(once(child, 'close'), () => said);
        return { code, said };
      }

      it('fails with 5 where nobody can be asked', async () => {
        const run = await home.run(['up', '--ssh', 'h']);
        assert.equal(run.code, 5);
        assert.match(run.stderr, /\(HOST_KEY_UNKNOWN\)\nhint: /);
        assert.deepEqual(given, [undefined]);
      });

      it('shows the fingerprint on a terminal, asks, and goes on after a yes', async () => {
        const { code, said } = await answering('y\n');
        assert.equal(code, 0, said);
        assert.ok(said.includes(fingerprint));
        assert.deepEqual(given, [undefined, fingerprint]);
      });

      it('fails after anything but a yes, and after Ctrl-C', async () => {
        assert.equal((await answering('\n')).code, 5);
        assert.equal((await answering('\u0003')).code, 130);
        assert.deepEqual(given, [undefined, undefined]);
      });
    });
  });

  describe('down', () => {
    it('names what it took down', async () => {
      await home.daemon({
        down: ({ name, all }) => ({ downed: all ? ['a', 'b'] : [name ?? '?'] }),
      });
      assert.equal((await home.run(['down', 'prod'])).stdout, 'prod is down\n');
      assert.deepEqual(document(await home.run(['down', '--all', '--json'])), {
        downed: ['a', 'b'],
      });
      assertError(await home.run(['down', 'prod', '--all']), 2, 'USAGE');
    });

    it('--all is done when there is nothing', async () => {
      const run = await home.run(['down', '--all']);
      assert.deepEqual(run, { code: 0, stdout: 'nothing was up\n', stderr: '' });
    });
  });

  describe('status', () => {
    it('prints the daemon’s answer as it is with --json', async () => {
      await home.daemon({ status: () => upStatus });
      assert.deepEqual(document(await home.run(['status', '--json'])), upStatus);
    });

    it('exits with 3 when the tunnel that was named is not up', async () => {
      const tunnel = { ...prod, state: 'reconnecting' } as const;
      await home.daemon({ status: () => ({ daemon, tunnels: [tunnel] }) });
      assert.equal((await home.run(['status', 'prod'])).code, 3);
      assert.equal((await home.run(['status'])).code, 0);
    });

    it('--watch prints each change and ends with the daemon', async () => {
      const states = ['connecting', 'connecting', 'up'] as const;
      let asked = 0;
      await home.daemon({
        status: () => {
          const state = states[asked++];
          if (state === undefined) throw new EpmuxError('DAEMON_NOT_RUNNING', 'gone');
          return { daemon, tunnels: [{ ...prod, state }] };
        },
      });
      const run = await home.run(['status', '--watch']);
      assert.deepEqual(run.stdout.match(/prod {2}\w+/g), ['prod  connecting', 'prod  up']);
      assert.equal(run.code, 3);
    });
  });

  describe('nodes', () => {
    it('is a line each, aligned, and JSON with the tunnel', async () => {
      const stale = { ...node, name: 'worker_2@dyno', state: 'stale' } as const;
      await home.daemon({
        status: () => ({ daemon, tunnels: [{ ...prod, nodes: [node, stale] }] }),
      });
      assert.equal(
        (await home.run(['nodes'])).stdout,
        'app@dyno       prod  -  127.0.0.2:4712\nworker_2@dyno  prod  -  127.0.0.2:4712  stale\n',
      );
      assert.deepEqual(document(await home.run(['nodes', '--json'])), {
        nodes: [
          { ...node, tunnel: 'prod' },
          { ...stale, tunnel: 'prod' },
        ],
      });
    });

    it('is nothing, and a word on stderr, when there is none', async () => {
      await home.daemon({ status: () => ({ daemon, tunnels: [] }) });
      const run = await home.run(['nodes']);
      assert.deepEqual([run.code, run.stdout], [0, '']);
      assert.match(run.stderr, /no node is reachable/);
    });
  });

  describe('env', () => {
    beforeEach(() => home.daemon({ leading: () => leading }));

    it('is taken in by a real shell, whatever the folder is called', async () => {
      const { stdout } = await home.run(['env', '--shell', 'sh']);
      const shell = spawn('sh', ['-c', `${stdout}\nenv`], { env: {} });
      const run = await outcome(shell, 'sh', '');
      assert.match(run.stdout, /^ERL_INETRC=\/home\/o'brien\/inetrc$/m);
      assert.match(run.stdout, /^ERL_EPMD_PORT=4711$/m);
      assert.equal(stdout.split('\n').length, 3, 'these two and no more');
    });

    it('speaks fish, PowerShell and JSON', async () => {
      const run = await home.run(['env'], { env: { SHELL: '/usr/bin/fish' } });
      assert.equal(
        run.stdout,
        "set -gx ERL_INETRC '/home/o\\'brien/inetrc'\nset -gx ERL_EPMD_PORT '4711'\n",
      );
      assert.equal(run.stderr, '');
      const power = await home.run(['env', '--shell', 'powershell']);
      assert.match(power.stdout, /^\$env:ERL_INETRC = '\/home\/o''brien\/inetrc'$/m);
      assert.deepEqual(document(await home.run(['env', '--json'])), {
        env: { ERL_INETRC: leading.inetrc, ERL_EPMD_PORT: '4711' },
      });
    });
  });

  describe('ping', () => {
    const pong: PingResult = { node: 'app@dyno', pong: true, rttMs: 12.3, error: null };
    const pang = (code: 'NODE_UNREACHABLE' | 'COOKIE_REFUSED'): PingResult => ({
      node: 'app@dyno',
      pong: false,
      rttMs: null,
      error: { code, message: 'no', at: '' },
    });

    it('prints a line for each and exits by the worst', async () => {
      const answers = [pong, pang('NODE_UNREACHABLE'), pong, pang('COOKIE_REFUSED')];
      await home.daemon({ ping: () => answers.shift() ?? pong });
      const first = await home.run(['ping', 'app', '-c', '2']);
      assert.equal(first.code, 3);
      assert.equal(first.stdout, 'pong  app@dyno  12 ms\npang  app@dyno  no (NODE_UNREACHABLE)\n');
      const second = await home.run(['ping', 'app', '-c', '2', '--json']);
      assert.equal(second.code, 5);
      assert.deepEqual(document(second), {
        node: 'app@dyno',
        sent: 2,
        received: 1,
        pings: [
          { pong: true, rttMs: 12.3, error: null },
          { pong: false, rttMs: null, error: { code: 'COOKIE_REFUSED', message: 'no', at: '' } },
        ],
      });
      assert.equal((await home.run(['ping'])).code, 0);
    });

    it('brings the cookie from a file or the environment, and no other way', async () => {
      const cookies: unknown[] = [];
      await home.daemon({
        ping: ({ cookie }) => {
          cookies.push(cookie);
          return pong;
        },
      });
      const file = await home.write('cookie', 'fromfile\n');
      await home.run(['ping', '--cookie-file', file], { env: { EPMUX_COOKIE: 'fromenv' } });
      await home.run(['ping'], { env: { EPMUX_COOKIE: 'fromenv' } });
      await home.run(['ping']);
      assert.deepEqual(cookies, ['fromfile', 'fromenv', undefined]);
      assertError(await home.run(['ping', '--cookie-file', 'nope']), 2, 'USAGE');
      assertError(await home.run(['ping', '-c', '0']), 2, 'USAGE');
      assertError(await home.run(['ping', '--cookie', 'x']), 2, 'USAGE');
    });
  });

  describe('logs', () => {
    it('follows until interrupted', async () => {
      const log = join(home.folder, 'state', 'daemon.log');
      await mkdir(join(home.folder, 'state'));
      await appendFile(log, 'one\ntwo\n');
      const child = home.start(['logs', '-f', '-n', '1']);
      let said = '';
      child.stdout?.on('data', (chunk) => {
        const first = said === '';
        said += chunk;
        if (first) void appendFile(log, 'three\n');
        if (said.endsWith('three\n')) child.kill('SIGINT');
      });
      assert.equal((await outcome(child, 'logs')).code, 130);
      assert.equal(said, 'two\nthree\n');
    });

    it('says that there is none yet', async () => {
      const run = await home.run(['logs']);
      assert.deepEqual([run.code, run.stdout], [0, '']);
      assert.match(run.stderr, /there is no log yet/);
    });
  });
});
