import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { daemonPaths, ensureFolders } from '../../src/daemon/paths.ts';
import { type StartedDaemon, startDetached } from '../../src/daemon/start-detached.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { until } from '../support/until.ts';

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

describe('what a process in the background is given', function () {
  this.timeout(30_000);
  const folder = tempFolder();
  const { HOME = '', EPMUX_HOME = '' } = process.env;
  // With options of node it stays in this process's folder.
  let options: string[];
  beforeEach(() => {
    options = process.execArgv.splice(0);
  });
  afterEach(() => {
    process.execArgv.push(...options);
    Object.assign(process.env, { HOME, EPMUX_HOME });
  });

  async function given(what: string, env: { HOME?: string; EPMUX_HOME?: string }): Promise<string> {
    const paths = daemonPaths({ EPMUX_HOME: join(folder.path, 'state') });
    ensureFolders(paths);
    const program = join(folder.path, 'given.mjs');
    writeFileSync(program, `console.error(${what});`);
    Object.assign(process.env, env);
    const started = startDetached(paths, program, []);
    try {
      await until(() => started.ended() !== undefined);
      return started.reason();
    } finally {
      started.release();
    }
  }

  it('is the home folder to work in', async () => {
    const home = join(folder.path, 'home');
    mkdirSync(home);
    assert.equal(await given('process.cwd()', { HOME: home }), realpathSync(home));
  });

  for (const home of ['/nonexistent', '/dev/null']) {
    it(`is the state folder to work in where the home folder is ${home}`, async () => {
      const cwd = await given('process.cwd()', { HOME: home });
      assert.equal(cwd, realpathSync(join(folder.path, 'state')));
    });
  }

  it('is EPMUX_HOME as it was meant in the folder of the command', async () => {
    const home = await given('process.env.EPMUX_HOME', { EPMUX_HOME: 'my state' });
    assert.equal(home, join(process.cwd(), 'my state'));
  });
});
