import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { daemonPaths, ensureFolders } from '../../src/daemon/paths.ts';
import { type StartedDaemon, startDetached } from '../../src/daemon/start-detached.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { until } from '../transport/ssh-support.ts';

/** Tells its pid, and then which signals come. */
const PROGRAM = `
import { renameSync, writeFileSync } from 'node:fs';
const tell = (name, text) => { writeFileSync(name + '.new', text); renameSync(name + '.new', name); };
setTimeout(() => {}, 60_000);
for (const name of ['SIGTERM', 'SIGUSR2']) process.on(name, () => tell(import.meta.dirname + '/' + name, ''));
tell(import.meta.dirname + '/pid', String(process.pid));
`;

describe('a process that is started in the background', function () {
  this.timeout(30_000);
  const folder = tempFolder();
  const file = (name: string): string => join(folder.path, name);
  let started: StartedDaemon;
  let pid: number;

  beforeEach(async () => {
    const paths = daemonPaths({ EPMUX_HOME: folder.path });
    ensureFolders(paths);
    writeFileSync(file('told.mjs'), PROGRAM);
    started = startDetached(paths, file('told.mjs'), []);
    await until(() => existsSync(file('pid')));
    pid = Number(readFileSync(file('pid'), 'utf8'));
  });
  afterEach(async () => {
    process.kill(pid, 'SIGKILL');
    await until(() => started.ended() !== undefined);
  });

  it('is told to end when it is given up', async () => {
    started.giveUp();
    await until(() => existsSync(file('SIGTERM')));
  });

  it('stays once it was released', async () => {
    started.release();
    started.giveUp();
    // A signal that was sent before would have come before this one.
    process.kill(pid, 'SIGUSR2');
    await until(() => existsSync(file('SIGUSR2')));
    assert.equal(existsSync(file('SIGTERM')), false);
  });
});

describe('the working folder of a process in the background', function () {
  this.timeout(30_000);
  const folder = tempFolder();
  const { HOME } = process.env;
  // With options of node it stays where it is.
  let options: string[];
  beforeEach(() => {
    options = process.execArgv.splice(0);
  });
  afterEach(() => {
    process.execArgv.push(...options);
    process.env['HOME'] = HOME ?? '';
  });

  async function workingFolder(home: string): Promise<string> {
    const paths = daemonPaths({ EPMUX_HOME: join(folder.path, 'state') });
    ensureFolders(paths);
    const program = join(folder.path, 'cwd.mjs');
    writeFileSync(program, 'console.error(process.cwd());');
    process.env['HOME'] = home;
    const started = startDetached(paths, program, []);
    try {
      await until(() => started.ended() !== undefined);
      return started.reason();
    } finally {
      started.release();
    }
  }

  it('is the home folder', async () => {
    const home = join(folder.path, 'home');
    mkdirSync(home);
    assert.equal(await workingFolder(home), realpathSync(home));
  });

  for (const home of ['/nonexistent', '/dev/null']) {
    it(`is the state folder where the home folder is ${home}`, async () => {
      assert.equal(await workingFolder(home), realpathSync(join(folder.path, 'state')));
    });
  }
});
