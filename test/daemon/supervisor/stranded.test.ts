import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { daemonPaths } from '../../../src/daemon/paths.ts';
import { EPMUX } from '../../support/dyno.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';

describe('a supervisor whose program was taken away', function () {
  this.timeout(30_000);
  const folder = tempFolder();
  const started: ChildProcess[] = [];

  afterEach(() => {
    for (const child of started.splice(0)) child.kill('SIGKILL');
  });

  it('ends with the worker that it watched, and leaves the state folder to the next one', async () => {
    const [node = '', ...args] = EPMUX;
    const env = { PATH: process.env['PATH'], HOME: folder.path, EPMUX_HOME: folder.path };
    const paths = daemonPaths(env);
    const start = (script: string, part: string): ChildProcess => {
      const command = [...args.slice(0, -1), script, part, '--stay'];
      const child = spawn(node, command, { env, stdio: 'ignore' });
      started.push(child);
      return child;
    };
    const log = (): string =>
      existsSync(paths.logFile) ? readFileSync(paths.logFile, 'utf8') : '';
    const script = args.at(-1) ?? '';
    const worker = start(script, 'daemon');
    await until(() => existsSync(paths.controlSocket));
    const link = join(folder.path, 'epmux.ts');
    symlinkSync(script, link);
    const supervisor = start(link, 'supervisor');
    await until(() => log().includes('the supervisor watches the daemon'));

    rmSync(link);
    worker.kill('SIGKILL');

    assert.deepEqual(await once(supervisor, 'exit'), [1, null]);
    assert.match(log(), /its program is not there any more missing="?.*epmux\.ts/);
    assert.equal(existsSync(paths.supervisorLockFile), false);
  });
});
