import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { VERSION } from '../../src/runtime/version.ts';
import { outcome } from '../support/cli.ts';
import { within } from '../support/erlang.ts';
import { leaveOut } from '../support/left-out.ts';
import {
  assertError,
  cliHome,
  daemon,
  document,
  node,
  prod,
  upStatus,
} from './commands-support.ts';

describe('the commands', function () {
  this.timeout(30_000);
  const cli = cliHome();

  describe('whatever they are', () => {
    it('exit with 2 on wrong usage, results on stdout or nothing', async () => {
      for (const argv of [['stauts'], ['status', '--jsn'], []]) {
        const run = await cli.home.run(argv);
        assertError(run, 2, 'USAGE');
        assert.equal(run.stdout, '');
      }
    });

    it('point to their own help after wrong usage', async () => {
      for (const argv of [
        ['logs', '-n', 'x'],
        ['up', '--foreground', '--json'],
        ['ping', '-c'],
      ]) {
        const { stderr } = await cli.home.run(argv);
        assert.match(stderr, new RegExp(`\nhint: see \`epmux ${argv[0]} --help\`\n$`));
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
      const runs = await Promise.all(commands.map((argv) => cli.home.run(argv)));
      for (const run of runs) assertError(run, 3, 'DAEMON_NOT_RUNNING');
    });

    it('fail as one JSON document too with --json, usage errors included', async () => {
      const run = await cli.home.run(['status', '--json']);
      assertError(run, 3, 'DAEMON_NOT_RUNNING');
      assert.deepEqual(document(run), {
        error: {
          code: 'DAEMON_NOT_RUNNING',
          message: 'the epmux daemon is not running',
          hint: 'start it with `epmux up`',
        },
      });
      const wrong = await cli.home.run(['status', '--json', '--nope']);
      assert.equal((document(wrong) as { error: { code: string } }).error.code, 'USAGE');
    });

    it('show where an error came from only when asked', async () => {
      await cli.home.daemon({
        status: () => {
          throw new TypeError('oops');
        },
      });
      assertError(await cli.home.run(['status']), 1, 'INTERNAL');
      for (const asked of [{ EPMUX_DEBUG: '1' }, {}]) {
        const level = asked.EPMUX_DEBUG === undefined ? ['--log-level', 'debug'] : [];
        const { stderr } = await cli.home.run(['status', ...level], { env: asked });
        assert.match(stderr, /\n {4}at /);
      }
    });

    it('end without a word when the reader of stdout is gone', async () => {
      const nodes = Array.from({ length: 5_000 }, (_, at) => ({ ...node, name: `n${at}@dyno` }));
      await cli.home.daemon({ status: () => ({ daemon, tunnels: [{ ...prod, nodes }] }) });
      const child = cli.home.start(['nodes']);
      child.stdout?.once('data', () => child.stdout?.destroy());
      let stderr = '';
      child.stderr?.on('data', (chunk) => {
        stderr += chunk;
      });
      assert.deepEqual(await within(once(child, 'exit'), () => stderr), [0, null]);
      assert.equal(stderr, '');
    });

    it('fail when their results can not be written', async function () {
      if (!existsSync('/dev/full')) leaveOut(this, 'there is no /dev/full');
      await cli.home.daemon({ status: () => upStatus });
      await cli.home.write('state/daemon.log', 'a line\n');
      const full = openSync('/dev/full', 'w');
      for (const argv of [['nodes', '--json'], ['completion', 'bash'], ['logs'], ['--help']]) {
        const run = await cli.home.run(argv, { stdout: full });
        assertError(run, 1, 'DISK_FULL');
        assert.match(run.stderr, /^epmux: stdout: ENOSPC/);
      }
      closeSync(full);
    });

    /** More than what a pipe holds. */
    const many = Array.from({ length: 4_000 }, (_, at) => ({
      ...node,
      name: `n${at}@${'d'.repeat(100)}`,
    }));

    it('wait until a slow reader has everything', async () => {
      await cli.home.daemon({ status: () => ({ daemon, tunnels: [{ ...prod, nodes: many }] }) });
      const child = cli.home.start(['nodes']);
      await once(child.stdout ?? child, 'readable');
      await delay(300);
      const { code, stdout } = await outcome(child, 'epmux nodes');
      assert.equal(code, 0);
      assert.equal(stdout.trimEnd().split('\n').length, many.length);
    });

    it('end at an interrupt though nobody reads on', async () => {
      await cli.home.daemon({ status: () => ({ daemon, tunnels: [{ ...prod, nodes: many }] }) });
      const child = cli.home.start(['nodes']);
      await once(child.stdout ?? child, 'readable');
      child.kill('SIGINT');
      assert.deepEqual(await within(once(child, 'exit'), () => 'epmux stays'), [130, null]);
    });

    for (const [name, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
      ['SIGHUP', 129],
    ] as const) {
      it(`exit with ${code} at ${name}, and the daemon hears of it`, async () => {
        let child: ChildProcess | undefined;
        const cancelled = new Promise<void>((resolve) => {
          void cli.home
            .daemon({
              up: (_, { signal }) => {
                child?.kill(name);
                return new Promise<never>(() => signal.addEventListener('abort', () => resolve()));
              },
            })
            .then(() => {
              child = cli.home.start(['up', '--connect', 'h:1']);
            });
        });
        await within(cancelled, () => 'up was not cancelled');
        if (child === undefined) throw new Error('epmux was not started');
        if (child.exitCode === null) await within(once(child, 'exit'), () => 'epmux stays');
        assert.equal(child.exitCode, code);
      });
    }

    it('are the agent’s own where it says agent', async () => {
      const [agent, version] = await Promise.all([
        cli.home.run(['agent', '--stdoi']),
        cli.home.run(['--version']),
      ]);
      assertError(agent, 2, 'USAGE');
      assert.match(agent.stderr, /--stdio/);
      assert.deepEqual(version, { code: 0, stdout: `epmux ${VERSION}\n`, stderr: '' });
    });

    it('print neither colour nor spinner where there is no terminal', async () => {
      await cli.home.daemon({ status: () => upStatus });
      const run = await cli.home.run(['status'], { env: { FORCE_COLOR: '1' } });
      assert.equal((run.stdout + run.stderr).includes('\u001b'), false);
    });
  });
});
