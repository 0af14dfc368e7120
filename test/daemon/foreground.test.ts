import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { ControlClient } from '../../src/daemon/control/client.ts';
import { daemonPaths } from '../../src/daemon/paths.ts';
import { AgentEnd } from '../support/agent-end.ts';
import { bridgeCommand, stillRuns } from '../support/bridge.ts';
import { connectSpec, DaemonFixture } from '../support/daemon-fixture.ts';
import { EPMUX } from '../support/dyno.ts';
import { freePort } from '../support/erlang.ts';
import { startSshd } from '../support/sshd.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { inTerminal, type } from '../support/terminal.ts';

/** For what was sent KILL. */
const KILLED_MS = 500;
const SECRET = 'a secret of sixteen bytes';

describe('a tunnel in the foreground', function () {
  this.timeout(30_000);
  const folder = tempFolder();
  const home = () => join(folder.path, 'epmux');
  let agent: AgentEnd;
  let child: ChildProcess | undefined;
  let said: string;

  beforeEach(async () => {
    agent = await AgentEnd.start({ secret: SECRET, nodes: { 'app@dyno': await freePort() } });
  });
  afterEach(async () => {
    if (child?.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await agent.kill();
  });

  const start = (port: number): ChildProcess => startOn('--connect', `127.0.0.1:${port}`);
  const words = (way: readonly string[]) => [...EPMUX, 'up', 'prod', ...way, '--foreground'];
  const environment = () => ({
    PATH: process.env['PATH'] ?? '',
    HOME: folder.path,
    EPMUX_HOME: home(),
    EPMUX_SECRET: SECRET,
  });
  const startOn = (...way: readonly string[]): ChildProcess => {
    const [node = '', ...args] = words(way);
    const started = spawn(node, args, {
      env: environment(),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    said = '';
    started.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk;
    });
    child = started;
    return started;
  };
  const untilUp = async (process: ChildProcess) => {
    while (!said.includes('node=app@dyno')) await once(process.stderr ?? process, 'data');
  };

  for (const [signal, code] of [
    ['SIGTERM', 0],
    ['SIGINT', 130],
    ['SIGHUP', 129],
  ] as const) {
    it(`logs to stderr, and ends with ${code} on ${signal} after it took the tunnel down`, async () => {
      const running = start(agent.port);
      await untilUp(running);
      running.kill(signal);
      const [exit] = await once(running, 'exit');
      assert.equal(exit, code, said);
      assert.equal(agent.goodbyes, 1);
      assert.equal(existsSync(daemonPaths({ EPMUX_HOME: home() }).controlSocket), false);
    });
  }

  it('stays when nobody reads its log any more', async () => {
    const running = start(agent.port);
    await untilUp(running);
    running.stderr?.destroy();
    const { controlSocket } = daemonPaths({ EPMUX_HOME: home() });
    for (let n = 0; n < 3; n += 1) {
      const client = await ControlClient.connect(controlSocket);
      await assert.rejects(client.call('supervise', {}), { code: 'DAEMON_BUSY' });
      client.close();
    }
    running.kill('SIGTERM');
    assert.deepEqual(await once(running, 'exit'), [0, null]);
    assert.equal(agent.goodbyes, 1);
  });

  it('answers commands, and ends when it is taken down', async () => {
    const running = start(agent.port);
    await untilUp(running);
    const client = await ControlClient.connect(daemonPaths({ EPMUX_HOME: home() }).controlSocket);
    assert.equal((await client.call('hello', {})).supervisor, undefined);
    await assert.rejects(client.call('supervise', {}), { code: 'DAEMON_BUSY' });
    assert.deepEqual(await client.call('down', {}), { downed: ['prod'] });
    client.close();
    const [exit] = await once(running, 'exit');
    assert.equal(exit, 0, said);
  });

  it('ends after its command has, also one that ignores TERM and the end of its input', async () => {
    const file = join(folder.path, 'pid');
    const running = startOn(
      '--command',
      `trap '' TERM; echo $$ > '${file}'; ${bridgeCommand(agent.port)}; while :; do sleep 1; done`,
    );
    await untilUp(running);
    const group = Number(readFileSync(file, 'utf8'));
    running.kill('SIGTERM');
    await once(running, 'exit');
    await delay(KILLED_MS);
    const isLeft = stillRuns(group);
    if (isLeft) process.kill(-group, 'SIGKILL');
    assert.equal(isLeft, false);
  });

  it('takes the place of a daemon in the background that has no tunnel', async () => {
    const env = { HOME: folder.path, EPMUX_HOME: home() };
    const [node = '', ...args] = EPMUX;
    const failing = ['up', '--connect', `127.0.0.1:${await freePort()}`];
    const options = { env: { PATH: process.env['PATH'], ...env } };
    await assert.rejects(
      promisify(execFile)(node, [...args, ...failing], options),
      /CONNECT_FAILED/,
    );
    const running = start(agent.port);
    await Promise.race([untilUp(running), once(running, 'exit')]);
    assert.equal(running.exitCode, null, said);
    running.kill('SIGTERM');
    assert.deepEqual(await once(running, 'exit'), [0, null], said);
  });

  it('leaves one that has a tunnel, and says how to end it', async () => {
    const daemon = new DaemonFixture(folder.path);
    await daemon.start();
    const client = await daemon.client();
    const secrets = { secret: SECRET };
    await client.call('up', { spec: connectSpec(agent.port), secrets });
    const running = start(agent.port);
    assert.deepEqual(await once(running, 'exit'), [1, null], said);
    assert.match(said, /\(DAEMON_BUSY\)\nhint: .*`epmux down --all`/);
    assert.equal((await client.call('status', {})).tunnels.length, 1);
    await daemon.stop();
  });

  it('asks who sits there for a host key that nobody knows', async () => {
    const sshd = await startSshd();
    try {
      const { user, host, port, identityFile } = sshd;
      const way = ['--ssh', `${user}@${host}:${port}`, '--identity', identityFile];
      const terminal = inTerminal(words([...way, '--agent-port', String(agent.port)]), {
        cwd: folder.path,
        env: environment(),
      });
      type(terminal, [
        { after: /\[y\/N\]/, text: 'y\n' },
        { after: /node=app@dyno/, text: '\u0003' },
      ]);
      const { code, said: all } = await terminal.ended;
      assert.equal(code, 130, all);
      assert.ok(all.includes(sshd.fingerprint), all);
      assert.equal(agent.goodbyes, 1);
      assert.ok(existsSync(join(folder.path, '.ssh', 'known_hosts')));
    } finally {
      await sshd.stop();
    }
  });

  it('fails as up does when it does not come up', async () => {
    const running = start(await freePort());
    const [exit] = await once(running, 'exit');
    assert.equal(exit, 3);
    assert.match(said, /\(CONNECT_FAILED\)/);
  });
});
