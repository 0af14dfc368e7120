import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { serviceManager } from '../../../src/cli/service/choose.ts';
import { Launchd } from '../../../src/cli/service/launchd.ts';
import { Systemd } from '../../../src/cli/service/systemd.ts';
import { plistText, type ServiceProgram, unitText } from '../../../src/cli/service/text.ts';
import { leaveOut } from '../../support/left-out.ts';
import { ServiceTools } from '../../support/service-tools.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const PROGRAM: ServiceProgram = {
  command: ['/usr/bin/no de', '/opt/100%/a "b" $c\\d/main.js', 'supervisor', '--stay'],
  env: { PATH: '/usr/bin:/my bin', EPMUX_HOME: '/home/me/50%' },
};

const verifier = ['/usr/bin/systemd-analyze', '/bin/systemd-analyze'].find((path) =>
  existsSync(path),
);

describe('a unit of systemd', () => {
  const folder = tempFolder();

  it('quotes paths with spaces, quotation marks, dollar and per cent signs', () => {
    const unit = unitText(PROGRAM, true);
    const line = String.raw`ExecStart="/usr/bin/no de" "/opt/100%%/a \"b\" $$c\\d/main.js" "supervisor" "--stay"`;
    assert.ok(unit.split('\n').includes(line), unit);
    assert.ok(unit.includes('Environment="EPMUX_HOME=/home/me/50%%"'));
  });

  it('is tried only while the program and its Node are there', () => {
    const lines = unitText(PROGRAM, true).split('\n');
    assert.ok(lines.includes('ConditionPathExists=/usr/bin/no de'));
    assert.ok(lines.includes(String.raw`ConditionPathExists=/opt/100%%/a "b" $c\d/main.js`));
  });

  it('has a watchdog only where there is something to tell it by', () => {
    assert.match(unitText(PROGRAM, true), /Type=notify\nNotifyAccess=all\nWatchdogSec=120/);
    assert.match(unitText(PROGRAM, false), /Type=exec/);
    assert.doesNotMatch(unitText(PROGRAM, false), /Watchdog/);
  });

  it('is not written with a line end in a path', () => {
    const program = { ...PROGRAM, env: { PATH: '/bin\nExecStart=/bin/sh' } };
    assert.throws(() => unitText(program, true), { code: 'CONFIG_INVALID' });
  });

  it('is understood by systemd itself', function () {
    if (verifier === undefined) leaveOut(this, 'there is no systemd-analyze on this machine');
    const script = join(folder.path, 'a "b" 100% $c\\d.js');
    writeFileSync(script, '');
    const unit = join(folder.path, 'epmux.service');
    const command = [process.execPath, script, 'supervisor'] as const;
    writeFileSync(unit, unitText({ command, env: PROGRAM.env }, true));
    const run = join(folder.path, 'run');
    mkdirSync(run, { mode: 0o700 });
    const env = { PATH: process.env['PATH'], HOME: folder.path, XDG_RUNTIME_DIR: run };
    const said = execFileSync(verifier, ['verify', '--user', '--man=no', unit], {
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    assert.equal(said, '');
  });

  it('that was made for another program is written anew, and one without a watchdog says so', async () => {
    const tools = new ServiceTools(join(folder.path, 'bin'), ['systemctl']);
    const env = { PATH: `${tools.folder}:/bin` };
    const options = { env: { PATH: tools.folder }, configHome: folder.path };
    const first = new Systemd({ ...options, program: PROGRAM });
    const systemd = new Systemd({ env, configHome: folder.path, program: PROGRAM });
    const notes = await systemd.install();
    if (!existsSync('/bin/systemd-notify')) assert.match(notes[0] ?? '', /systemd-notify/);
    assert.equal(await systemd.isInstalled(), true);
    const moved = { ...PROGRAM, command: ['/usr/bin/node', '/elsewhere/main.js'] as const };
    const other = new Systemd({ env, configHome: folder.path, program: moved });
    assert.equal(await other.isInstalled(), false);
    await first.uninstall();
    assert.equal(existsSync(systemd.file), false);
  });
});

describe('an agent of launchd, with a launchctl that only writes down what it is asked', () => {
  const folder = tempFolder();

  it('is a property list with every path in it as it is', () => {
    const program = { ...PROGRAM, env: { PATH: '/a&b:/<c>' } };
    const text = plistText(program, 'epmux', '/home/me/daemon.stderr');
    const strings = [...text.matchAll(/<string>(.*?)<\/string>/g)].map(([, value]) => value);
    assert.deepEqual(strings, [
      'epmux',
      ...PROGRAM.command,
      '/a&amp;b:/&lt;c&gt;',
      'Interactive',
      '/home/me/daemon.stderr',
    ]);
    assert.match(text, /<key>KeepAlive<\/key><dict>\n<key>SuccessfulExit<\/key><false\/>/);
    assert.match(text, /<key>ExitTimeOut<\/key><integer>20<\/integer>/);
    assert.equal(text.match(/<dict>/g)?.length, text.match(/<\/dict>/g)?.length);
  });

  const agentOf = (tools: ServiceTools): Launchd =>
    new Launchd({
      env: { PATH: `${tools.folder}:/usr/bin:/bin` },
      home: folder.path,
      uid: 501,
      program: PROGRAM,
      stderrFile: '/dev/null',
    });

  it('is loaded, found, and taken away', async () => {
    const tools = new ServiceTools(join(folder.path, 'bin'), ['launchctl']);
    const agent = agentOf(tools);
    await agent.check();
    assert.equal((await agent.state()).installed, false);
    await agent.install();
    assert.deepEqual(
      tools.calls().filter((call) => !call.includes(' print ')),
      ['launchctl enable gui/501/epmux', `launchctl bootstrap gui/501 ${agent.file}`],
    );
    assert.equal(await agent.isInstalled(), true);
    assert.match(readFileSync(agent.file, 'utf8'), /^<\?xml/);
    await agent.uninstall();
    await agent.uninstall();
    assert.deepEqual(
      tools.calls().filter((call) => call.includes('bootout')),
      ['launchctl bootout gui/501/epmux'],
    );
    assert.equal(existsSync(agent.file), false);
    const { installed, enabled, running } = await agent.state();
    assert.deepEqual([installed, enabled, running], [false, false, false]);
  });

  it('is loaded anew, and taken away, although launchd lets go of it late', async () => {
    const tools = new ServiceTools(join(folder.path, 'slow'), ['launchctl']);
    const agent = agentOf(tools);
    await agent.install();
    tools.calls();
    tools.endSlowly(3, 2);
    await agent.install();
    assert.equal(await agent.isInstalled(), true);
    const calls = tools.calls();
    assert.equal(calls.filter((call) => call.includes('bootout')).length, 1);
    assert.equal(calls.filter((call) => call.includes('bootstrap')).length, 3);
    tools.endSlowly(3, 0);
    await agent.uninstall();
    assert.equal(existsSync(agent.file), false);
    assert.equal((await agent.state()).running, false);
  });
});

describe('the service manager of a system', () => {
  it('is its own, or none', () => {
    assert.equal(serviceManager({}, 'linux')?.name, 'systemd');
    assert.equal(serviceManager({}, 'darwin')?.name, 'launchd');
    assert.equal(serviceManager({}, 'win32'), undefined);
    assert.equal(
      serviceManager({ XDG_CONFIG_HOME: '/c' }, 'linux')?.file,
      '/c/systemd/user/epmux.service',
    );
  });
});
