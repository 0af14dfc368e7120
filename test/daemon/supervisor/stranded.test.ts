import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DaemonPaths, daemonPaths } from '../../../src/daemon/paths.ts';
import { EPMUX } from '../../support/dyno.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';

describe('a supervisor that can start no worker', function () {
  this.timeout(30_000);
  const folder = tempFolder();
  const started: ChildProcess[] = [];
  const [node = '', ...args] = EPMUX;
  const script = args.at(-1) ?? '';
  let env: NodeJS.ProcessEnv;
  let paths: DaemonPaths;
  /** What the supervisor runs. */
  let link: string;

  const start = (program: string, ...words: string[]): ChildProcess => {
    const child = spawn(node, [...args.slice(0, -1), program, ...words], { env, stdio: 'ignore' });
    started.push(child);
    return child;
  };
  const log = (): string => (existsSync(paths.logFile) ? readFileSync(paths.logFile, 'utf8') : '');

  /** One that watches a worker, and that worker. */
  async function supervised(): Promise<readonly [supervisor: ChildProcess, worker: ChildProcess]> {
    env = { PATH: process.env['PATH'], HOME: folder.path, EPMUX_HOME: folder.path };
    paths = daemonPaths(env);
    link = join(folder.path, 'epmux.ts');
    symlinkSync(script, link);
    const worker = start(script, 'daemon', '--stay');
    await until(() => existsSync(paths.controlSocket));
    const supervisor = start(link, 'supervisor', '--stay');
    await until(() => log().includes('the supervisor watches the daemon'));
    return [supervisor, worker];
  }

  afterEach(() => {
    for (const child of started.splice(0)) child.kill('SIGKILL');
  });

  it('ends with the worker that it watched where its program was taken away, and leaves the state folder to the next one', async () => {
    const [supervisor, worker] = await supervised();

    rmSync(link);
    worker.kill('SIGKILL');

    assert.deepEqual(await once(supervisor, 'exit'), [1, null]);
    assert.match(log(), /its program is not there any more missing="?.*epmux\.ts/);
    assert.equal(existsSync(paths.supervisorLockFile), false);
  });

  it('ends where the worker that it starts does, for another daemon answers in its place', async () => {
    env = { PATH: process.env['PATH'], HOME: folder.path, EPMUX_HOME: folder.path };
    paths = daemonPaths(env);
    start(script, 'daemon', '--stay');
    await until(() => existsSync(paths.controlSocket));
    rmSync(paths.lockFile);

    const [code] = await once(start(script, 'supervisor', '--stay'), 'exit');

    assert.notEqual(code, 0);
    assert.match(log(), /another daemon answers on/);
    assert.doesNotMatch(log(), /the daemon was lost/);
  });

  it('is ended by `down --all` where its workers can not start', async () => {
    const [supervisor, worker] = await supervised();
    const ended = once(supervisor, 'exit');

    rmSync(link);
    writeFileSync(link, 'process.exit(1);');
    worker.kill('SIGKILL');
    await until(() => log().includes('reason="exit code 1"'));
    const [code] = await once(start(script, 'down', '--all'), 'exit');

    assert.equal(code, 0);
    await ended;
    assert.equal(existsSync(paths.supervisorLockFile), false);
  });
});
