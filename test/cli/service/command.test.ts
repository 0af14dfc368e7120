import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { daemonPaths } from '../../../src/daemon/paths.ts';
import { CliHome } from '../../support/cli.ts';
import { EPMUX } from '../../support/dyno.ts';
import { ServiceTools } from '../../support/service-tools.ts';

const ENSURE = fileURLToPath(new URL('../../support/ensure-daemon.ts', import.meta.url));
const run = promisify(execFile);
const UNIT = '.config/systemd/user/epmux.service';

describe('epmux service, with a systemctl that only writes down what it is asked', function () {
  this.timeout(60_000);
  let home: CliHome;
  /** Of a process that has ended. */
  let deadPid: number;
  let tools: ServiceTools;
  before(async () => {
    const child = spawn('true');
    await once(child, 'exit');
    deadPid = child.pid ?? 0;
  });
  beforeEach(async () => {
    home = await CliHome.make();
    tools = new ServiceTools(join(home.folder, 'bin'));
    home.env['PATH'] = `${tools.folder}:${home.env['PATH']}`;
  });
  afterEach(() => home.remove());

  const state = async () => JSON.parse((await home.run(['service', 'status', '--json'])).stdout);

  it('writes the unit, enables and starts it, once', async () => {
    const first = await home.run(['service', 'install', '--json']);
    assert.equal(first.code, 0, first.stderr);
    const file = join(home.folder, UNIT);
    const running = { manager: 'systemd', installed: true, enabled: true, running: true, file };
    assert.deepEqual(JSON.parse(first.stdout), running);
    const asked = tools.calls().filter((call) => !/ is-|show-/.test(call));
    assert.deepEqual(asked, [
      'systemctl --user daemon-reload',
      'systemctl --user enable epmux.service',
      'systemctl --user restart epmux.service',
    ]);
    const unit = readFileSync(file, 'utf8');
    assert.match(unit, /^Type=notify$/m);
    assert.match(unit, /^ExecStart=".*" "supervisor" "--stay"$/m);
    assert.match(unit, new RegExp(`^Environment="EPMUX_HOME=${home.env['EPMUX_HOME']}"$`, 'm'));

    const second = await home.run(['service', 'install']);
    assert.match(second.stderr, /installed already/);
    assert.equal(
      tools.calls().some((call) => call.includes('restart')),
      false,
    );
  });

  it('hands on EPMUX_HOME as it was meant in the folder it was installed from', async () => {
    const run = await home.run(['service', 'install'], { env: { EPMUX_HOME: 'my state' } });
    assert.equal(run.code, 0, run.stderr);
    const unit = readFileSync(join(home.folder, UNIT), 'utf8');
    assert.ok(unit.includes(`"EPMUX_HOME=${join(home.folder, 'my state')}"`), unit);
  });

  it('names Node by the link on the PATH, which outlives an update', async () => {
    const link = join(tools.folder, 'node');
    symlinkSync(process.execPath, link);
    const run = await home.run(['service', 'install']);
    assert.equal(run.code, 0, run.stderr);
    assert.ok(readFileSync(join(home.folder, UNIT), 'utf8').includes(`\nExecStart="${link}" "`));
  });

  it('hands on whom Node trusts, so that Heroku can be asked as in this shell', async () => {
    const env = { NODE_EXTRA_CA_CERTS: 'company.pem', NODE_USE_SYSTEM_CA: '1', SSL_CERT_DIR: '/c' };
    writeFileSync(join(home.folder, 'company.pem'), '');
    const run = await home.run(['service', 'install'], { env });
    assert.equal(run.code, 0, run.stderr);
    const unit = readFileSync(join(home.folder, UNIT), 'utf8');
    assert.ok(unit.includes(`"NODE_EXTRA_CA_CERTS=${join(home.folder, 'company.pem')}"`), unit);
    assert.match(unit, /^Environment="NODE_USE_SYSTEM_CA=1"\nEnvironment="SSL_CERT_DIR=\/c"$/m);
  });

  it('starts the service again after an update', async () => {
    await home.run(['service', 'install']);
    tools.calls();
    await home.daemon({ hello: () => ({ version: '0.0.1', pid: deadPid, supervisor: null }) });
    const { code, stderr } = await home.run(['service', 'install']);
    assert.equal(code, 0, stderr);
    assert.ok(tools.calls().includes('systemctl --user restart epmux.service'));
  });

  it('puts no secret of the shell into the unit', async () => {
    const env = {
      EPMUX_SECRET: 'not to be seen',
      EPMUX_COOKIE: 'nor this',
      HEROKU_API_KEY: 'or this',
    };
    assert.equal((await home.run(['service', 'install'], { env })).code, 0);
    assert.doesNotMatch(
      readFileSync(join(home.folder, UNIT), 'utf8'),
      /not to be|nor this|or this/,
    );
  });

  it('ends the daemon that runs in order first', async () => {
    const paths = daemonPaths(home.env);
    const [node = '', ...args] = EPMUX.slice(0, -1);
    await run(node, [...args, ENSURE, EPMUX.at(-1) ?? ''], { env: home.env });
    assert.equal(existsSync(paths.supervisorLockFile), true);
    const { code, stderr } = await home.run(['service', 'install']);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /the daemon that ran has ended/);
    for (const left of [paths.lockFile, paths.supervisorLockFile, paths.controlSocket]) {
      assert.equal(existsSync(left), false, left);
    }
  });

  it('refuses bounds that can not work before anything is ended or written', async () => {
    const paths = daemonPaths(home.env);
    const [node = '', ...args] = EPMUX.slice(0, -1);
    await run(node, [...args, ENSURE, EPMUX.at(-1) ?? ''], { env: home.env });
    const env = { EPMUX_LIMITS: 'nodes=0' };
    const { code, stderr } = await home.run(['service', 'install'], { env });
    assert.equal(code, 2, stderr);
    assert.match(stderr, /EPMUX_LIMITS: nodes .*\(CONFIG_INVALID\)/);
    assert.equal(existsSync(join(home.folder, UNIT)), false);
    assert.equal(existsSync(paths.controlSocket), true);
    assert.equal((await home.run(['service', 'install'])).code, 0);
  });

  it('leaves nothing, also when it is called twice or nothing was there', async () => {
    await home.run(['service', 'install']);
    for (let time = 0; time < 2; time += 1) {
      const { code, stderr } = await home.run(['service', 'uninstall']);
      assert.equal(code, 0, stderr);
      assert.deepEqual(readdirSync(join(home.folder, '.config/systemd/user')), []);
      const { installed, enabled, running } = await state();
      assert.deepEqual([installed, enabled, running], [false, false, false]);
    }
    assert.ok(tools.calls().includes('systemctl --user stop epmux.service'));
  });

  it('says what there is', async () => {
    assert.equal((await home.run(['service', 'status'])).stdout, 'not installed\n');
    await home.run(['service', 'install']);
    assert.match(
      (await home.run(['service', 'status'])).stdout,
      /^installed, enabled, running: \//,
    );
  });

  it('fails where systemd has no manager for this user, and writes nothing', async () => {
    tools.fail('broken', 'Failed to connect to bus: No medium found');
    const { code, stderr } = await home.run(['service', 'install']);
    assert.equal(code, 1);
    assert.match(stderr, /No medium found \(SERVICE_UNAVAILABLE\)/);
    assert.equal(existsSync(join(home.folder, '.config')), false);
    assert.equal((await home.run(['service', 'uninstall'])).code, 0);
  });

  it('says that nothing was ended where systemd can not be asked any more', async () => {
    await home.run(['service', 'install']);
    tools.fail('broken', 'Failed to connect to bus: No medium found');
    const { code, stderr } = await home.run(['service', 'uninstall']);
    assert.equal(code, 0);
    assert.match(stderr, /nothing was ended: .*`epmux down --all`/);
    assert.deepEqual(readdirSync(join(home.folder, '.config/systemd/user')), []);
  });

  it('fails with what systemd says when it does not start', async () => {
    tools.fail('refuses', 'Job for epmux.service failed.');
    const { code, stderr } = await home.run(['service', 'install']);
    assert.equal(code, 1);
    assert.match(stderr, /Job for epmux.service failed\. \(SERVICE_FAILED\)/);
  });

  it('asks to be told what to do', async () => {
    const { code, stderr } = await home.run(['service']);
    assert.equal(code, 2);
    assert.match(stderr, /install, uninstall, status/);
  });
});
