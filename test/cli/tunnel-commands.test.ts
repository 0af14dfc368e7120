import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { appendFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { PingResult } from '../../src/daemon/control/api.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { outcome } from '../support/cli.ts';
import { EPMUX } from '../support/dyno.ts';
import { inTerminal } from '../support/terminal.ts';
import {
  assertError,
  cliHome,
  daemon,
  document,
  leading,
  node,
  prod,
  upStatus,
} from './commands-support.ts';

describe('the commands', function () {
  this.timeout(30_000);
  const cli = cliHome();

  describe('down', () => {
    it('names what it took down', async () => {
      await cli.home.daemon({
        down: ({ name, all }) => ({ downed: all ? ['a', 'b'] : [name ?? '?'] }),
      });
      assert.equal((await cli.home.run(['down', 'prod'])).stdout, 'prod is down\n');
      assert.deepEqual(document(await cli.home.run(['down', '--all', '--json'])), {
        downed: ['a', 'b'],
      });
      assertError(await cli.home.run(['down', 'prod', '--all']), 2, 'USAGE');
    });

    it('--all is done when there is nothing', async () => {
      const run = await cli.home.run(['down', '--all']);
      assert.deepEqual(run, { code: 0, stdout: 'nothing was up\n', stderr: '' });
    });
  });

  describe('status', () => {
    it('prints the daemon’s answer as it is with --json', async () => {
      await cli.home.daemon({ status: () => upStatus });
      assert.deepEqual(document(await cli.home.run(['status', '--json'])), upStatus);
    });

    it('exits with 3 when the tunnel that was named is not up', async () => {
      const tunnel = { ...prod, state: 'reconnecting' } as const;
      await cli.home.daemon({ status: () => ({ daemon, tunnels: [tunnel] }) });
      assert.equal((await cli.home.run(['status', 'prod'])).code, 3);
      assert.equal((await cli.home.run(['status'])).code, 0);
    });

    it('--watch prints each change and ends with the daemon', async () => {
      const states = ['connecting', 'connecting', 'up'] as const;
      let asked = 0;
      await cli.home.daemon({
        status: () => {
          const state = states[asked++];
          if (state === undefined) throw new EpmuxError('DAEMON_NOT_RUNNING', 'gone');
          return { daemon, tunnels: [{ ...prod, state }] };
        },
      });
      const run = await cli.home.run(['status', '--watch']);
      assert.deepEqual(run.stdout.match(/prod {2}\w+/g), ['prod  connecting', 'prod  up']);
      assert.equal(run.code, 3);
    });
  });

  describe('status --watch', () => {
    it('draws on a terminal, unless it is a dumb one', async () => {
      let answers = 0;
      await cli.home.daemon({
        status: () => {
          answers += 1;
          if (answers % 2 === 0) throw new EpmuxError('BUSY', 'that was it');
          return upStatus;
        },
      });
      for (const [kind, isDrawn] of [
        ['xterm', true],
        ['dumb', false],
      ] as const) {
        const env = { ...cli.home.env, NO_COLOR: '1', TERM: kind };
        const options = { cwd: cli.home.folder, env };
        const terminal = inTerminal([...EPMUX, 'status', '-w'], options);
        terminal.onOutput(() => undefined);
        const { said } = await terminal.ended;
        assert.match(said, /prod {2}up/);
        assert.equal(said.includes('\u001b'), isDrawn, JSON.stringify(said));
      }
    });
  });

  it('shows what fits on the terminal while it watches, and how much more there is', async () => {
    const nodes = Array.from({ length: 40 }, (_, at) => ({ ...node, name: `n${at}@dyno` }));
    let answers = 0;
    await cli.home.daemon({
      status: () => {
        answers += 1;
        if (answers > 1) throw new EpmuxError('BUSY', 'that was it');
        return { daemon, tunnels: [{ ...prod, nodes }] };
      },
    });
    const env = { ...cli.home.env, NO_COLOR: '1', TERM: 'xterm' };
    const command = `stty rows 10; exec ${[...EPMUX, 'status', '-w'].join(' ')}`;
    const terminal = inTerminal(['sh', '-c', command], { cwd: cli.home.folder, env });
    terminal.onOutput(() => undefined);
    const { said } = await terminal.ended;
    assert.match(said, /prod {2}up[\s\S]*n6@dyno[^\n]*\n *and 33 more lines\r?\n/);
    assert.doesNotMatch(said, /n7@dyno/);
  });

  describe('nodes', () => {
    it('is a line each, aligned, and JSON with the tunnel', async () => {
      const stale = { ...node, name: 'worker_2@dyno', state: 'stale' } as const;
      await cli.home.daemon({
        status: () => ({ daemon, tunnels: [{ ...prod, nodes: [node, stale] }] }),
      });
      assert.equal(
        (await cli.home.run(['nodes'])).stdout,
        'app@dyno       prod  -  127.0.0.2:4712\nworker_2@dyno  prod  -  127.0.0.2:4712  stale\n',
      );
      assert.deepEqual(document(await cli.home.run(['nodes', '--json'])), {
        nodes: [
          { ...node, tunnel: 'prod' },
          { ...stale, tunnel: 'prod' },
        ],
      });
    });

    it('is nothing, and a word on stderr, when there is none', async () => {
      await cli.home.daemon({ status: () => ({ daemon, tunnels: [] }) });
      const run = await cli.home.run(['nodes']);
      assert.deepEqual([run.code, run.stdout], [0, '']);
      assert.match(run.stderr, /no node is reachable/);
    });
  });

  describe('env', () => {
    beforeEach(() => cli.home.daemon({ leading: () => leading }));

    it('is taken in by a real shell, whatever the folder is called', async () => {
      const { stdout } = await cli.home.run(['env', '--shell', 'sh']);
      const shell = spawn('sh', ['-c', `${stdout}\nenv`], { env: {} });
      const run = await outcome(shell, 'sh', '');
      assert.match(run.stdout, /^ERL_INETRC=\/home\/o'brien\/inetrc$/m);
      assert.match(run.stdout, /^ERL_EPMD_PORT=4711$/m);
      assert.equal(stdout.split('\n').length, 3, 'these two and no more');
    });

    it('speaks fish, PowerShell and JSON', async () => {
      const run = await cli.home.run(['env'], { env: { SHELL: '/usr/bin/fish' } });
      assert.equal(
        run.stdout,
        "set -gx ERL_INETRC '/home/o\\'brien/inetrc'\nset -gx ERL_EPMD_PORT '4711'\n",
      );
      assert.equal(run.stderr, '');
      const power = await cli.home.run(['env', '--shell', 'powershell']);
      assert.match(power.stdout, /^\$env:ERL_INETRC = '\/home\/o''brien\/inetrc'$/m);
      assert.deepEqual(document(await cli.home.run(['env', '--json'])), {
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
      error: { code, message: 'no', hint: `what helps ${code}`, at: '' },
    });

    it('prints a line for each and exits by the worst', async () => {
      const answers = [pong, pang('NODE_UNREACHABLE'), pong, pang('COOKIE_REFUSED')];
      await cli.home.daemon({ ping: () => answers.shift() ?? pong });
      const first = await cli.home.run(['ping', 'app', '-c', '2']);
      assert.equal(first.code, 3);
      assert.equal(first.stdout, 'pong  app@dyno  12 ms\npang  app@dyno  no (NODE_UNREACHABLE)\n');
      assert.equal(first.stderr, 'hint: what helps NODE_UNREACHABLE\n');
      const second = await cli.home.run(['ping', 'app', '-c', '2', '--json']);
      assert.equal(second.code, 5);
      assert.deepEqual(document(second), {
        node: 'app@dyno',
        sent: 2,
        received: 1,
        pings: [
          { pong: true, rttMs: 12.3, error: null },
          { pong: false, rttMs: null, error: pang('COOKIE_REFUSED').error },
        ],
      });
      assert.equal((await cli.home.run(['ping'])).code, 0);
    });

    it('brings the cookie from a file or the environment, and no other way', async () => {
      const cookies: unknown[] = [];
      await cli.home.daemon({
        ping: ({ cookie }) => {
          cookies.push(cookie);
          return pong;
        },
      });
      const file = await cli.home.write('cookie', 'from file \n');
      await cli.home.run(['ping', '--cookie-file', file], { env: { EPMUX_COOKIE: 'fromenv' } });
      await cli.home.run(['ping'], { env: { EPMUX_COOKIE: 'fromenv' } });
      await cli.home.run(['ping']);
      assert.deepEqual(cookies, ['from file', 'fromenv', undefined]);
      await cli.home.run(['ping'], { env: { EPMUX_COOKIE: ' fromenv\n' } });
      await cli.home.run(['ping', '--cookie-file=~/cookie']);
      assert.deepEqual(cookies.slice(3), ['fromenv', 'from file']);
      assertError(await cli.home.run(['ping', '--cookie-file', 'nope']), 2, 'USAGE');
      await cli.home.write('lines', 'one\ntwo\n');
      assertError(await cli.home.run(['ping', '--cookie-file', 'lines']), 2, 'USAGE');
      assertError(await cli.home.run(['ping', '-c', '0']), 2, 'USAGE');
      assertError(await cli.home.run(['ping', '--cookie', 'x']), 2, 'USAGE');
    });
  });

  describe('logs', () => {
    it('follows until interrupted', async () => {
      const log = join(cli.home.folder, 'state', 'daemon.log');
      await mkdir(join(cli.home.folder, 'state'));
      await appendFile(log, 'one\ntwo\n');
      const child = cli.home.start(['logs', '-f', '-n', '1']);
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
      const run = await cli.home.run(['logs']);
      assert.deepEqual([run.code, run.stdout], [0, '']);
      assert.match(run.stderr, /there is no log yet/);
    });
  });
});
