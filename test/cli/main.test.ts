import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { builtEpmux } from '../support/built-program.ts';
import { type CliRun, outcome } from '../support/cli.ts';
import { tempFolder } from '../support/temp-folder.ts';

const SRC = join(import.meta.dirname, '..', '..', 'src');

describe('epmux whose installation is broken', () => {
  const folder = tempFolder();

  it('says what is missing once and ends with 1', async () => {
    for (const part of ['cli', 'daemon', 'protocol', 'runtime']) {
      cpSync(join(SRC, part), join(folder.path, part), { recursive: true });
    }
    rmSync(join(folder.path, 'cli', 'run.ts'));
    const main = join(folder.path, 'cli', 'main.ts');
    const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), main, 'status']);

    const { code, stderr } = await outcome(child, 'epmux status');

    assert.equal(code, 1);
    assert.match(stderr, /^epmux: .*run\.ts.* \(INTERNAL\)\nhint: install epmux again/);
    assert.equal(stderr.trimEnd().split('\n').length, 2);
  });
});

describe('epmux on Windows', () => {
  it('says where it runs instead, whatever it was called for', async () => {
    const windows =
      'data:text/javascript,Object.defineProperty(process,"platform",{value:"win32"})';
    const node = ['--import', import.meta.resolve('tsx'), '--import', windows];
    for (const command of ['status', 'agent']) {
      const child = spawn(process.execPath, [...node, join(SRC, 'cli', 'main.ts'), command]);
      const { code, stderr } = await outcome(child, `epmux ${command}`);
      assert.equal(code, 1);
      assert.equal(
        stderr,
        'epmux: epmux runs on macOS and Linux, not on Windows itself (UNSUPPORTED)\nhint: install and run it inside WSL2\n',
      );
    }
  });
});

describe('epmux in a folder that is gone', function () {
  this.timeout(60_000);
  const folder = tempFolder();

  async function run(args: string, home = folder.path): Promise<CliRun> {
    const program = (await builtEpmux()).join(' ');
    const script = `mkdir gone; cd gone; rmdir ../gone; exec ${program} ${args}`;
    const env = { PATH: process.env['PATH'] ?? '', HOME: folder.path, EPMUX_HOME: home };
    return outcome(spawn('sh', ['-c', script], { cwd: folder.path, env }), args);
  }

  it('does what has nothing to do with the folder', async () => {
    assert.match((await run('up --help')).stdout, /^epmux up /);
    assert.match((await run('status')).stderr, /\(DAEMON_NOT_RUNNING\)/);
  });

  it('says so where EPMUX_HOME is relative to it', async () => {
    const { code, stderr } = await run('status', 'state');
    assert.equal(code, 2, stderr);
    assert.match(stderr, /^epmux: EPMUX_HOME is a relative path, and .* \(CONFIG_INVALID\)\n/);
  });

  it('says so where it is needed', async () => {
    const { code, stderr } = await run('up');
    assert.equal(code, 2);
    assert.match(
      stderr,
      /^epmux: the working folder is not there any more \(USAGE\)\nhint: change/,
    );
  });
});
