import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { daemonPaths } from '../../../src/daemon/paths.ts';
import { workerEnv } from '../../../src/daemon/supervisor/held-worker.ts';
import { EPMUX } from '../../support/dyno.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';

describe('a worker that is held', () => {
  const folder = tempFolder();
  let started: ChildProcess | undefined;

  afterEach(async () => {
    if (started === undefined || started.exitCode !== null) return;
    const exited = once(started, 'exit');
    started.kill('SIGKILL');
    await exited;
  });

  function hold() {
    const env = { PATH: process.env['PATH'], HOME: folder.path };
    const [node = '', ...program] = EPMUX;
    const child = spawn(node, [...program, 'daemon', '--held', '--memory'], {
      env,
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    started = child;
    return { child, paths: daemonPaths(env) };
  }

  it('ends without having touched anything when its supervisor is gone before the word', async () => {
    const { child, paths } = hold();
    const exited = once(child, 'exit');
    child.stdin.end();
    assert.deepEqual(await exited, [1, null]);
    assert.ok(!existsSync(paths.stateDir) && !existsSync(paths.runtimeDir));
  });

  it('has threads for eight look-ups at once unless told otherwise, and nothing of systemd', () => {
    const env = { HOME: '/home/me', NOTIFY_SOCKET: '/run/x', WATCHDOG_USEC: '1' };
    assert.deepEqual(workerEnv(env), { HOME: '/home/me', UV_THREADPOOL_SIZE: '16' });
    assert.deepEqual(workerEnv({ UV_THREADPOOL_SIZE: '5' }), { UV_THREADPOOL_SIZE: '5' });
  });

  it('becomes the daemon with the word', async () => {
    const { child, paths } = hold();
    child.stdin.end('[]');
    await until(() => existsSync(paths.controlSocket));
  });
});
