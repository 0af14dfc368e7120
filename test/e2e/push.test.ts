import assert from 'node:assert/strict';
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { builtEpmux } from '../support/built-program.ts';
import { ErlangHost, type ErlangNode } from '../support/erlang.ts';
import { Laptop } from '../support/laptop.ts';
import { PushHost } from '../support/push-host.ts';

describe('the built program, and a host with Node and without an agent', function () {
  this.timeout(60_000);
  let dyno: ErlangHost;
  let app: ErlangNode;
  let host: PushHost;
  let laptop: Laptop;

  before(async () => {
    const program = await builtEpmux();
    dyno = await ErlangHost.start();
    app = await dyno.node('app');
    host = await PushHost.start();
    laptop = await Laptop.start({ program });
    laptop.trust(`${host.sshd.knownHostsLine}\n`);
  });
  after(async () => {
    await laptop?.stop();
    await host?.stop();
    await dyno?.stop();
  });

  /** One that has ended and that nobody has waited for has no command line any more. */
  const isAlive = (pid: number): boolean => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== '';
    } catch {
      return false;
    }
  };

  const up = () => {
    const { user, host: address, port, identityFile } = host.sshd;
    const way = ['--ssh', `${user}@${address}:${port}`, '--identity', identityFile];
    // Nobody listens on port 1.
    const ports = ['--agent-port', '1', '--epmd-port', String(dyno.epmdPort)];
    return laptop.epmux(['up', 'prod', ...way, ...ports]);
  };
  const agents = () => [...host.processes().keys()];

  it('pushes one with up, says so, and leaves nothing anywhere after down', async () => {
    const { code, stdout, stderr } = await up();
    assert.equal(code, 0, stderr);
    assert.match(stdout, new RegExp(`^node +${app.name} `));
    assert.match(stderr, /- pushing an agent\n- attached to the pushed agent/);

    const { daemon, tunnels } = await laptop.status();
    const [link] = tunnels[0]?.links ?? [];
    assert.deepEqual([link?.mode, link?.agent, link?.whyDirect], ['agent', 'pushed', null]);
    assert.match(await laptop.run('status'), / {2}link +up +pushed agent /);
    assert.equal(host.processes().size, 1);
    assert.deepEqual(host.files(), [], 'it has removed what it came as');
    assert.match(await laptop.run('ping', app.name), /pong/);

    await laptop.run('down');
    await host.deserted();
    while (isAlive(daemon.pid)) await delay(20);
    assert.equal(existsSync(join(laptop.env['EPMUX_HOME'] ?? '', 'run', 'control.sock')), false);
  });

  it('pushes its own again after an update has taken it away', async () => {
    const [, main = ''] = await builtEpmux();
    const file = join(dirname(dirname(main)), 'agent.mjs');
    assert.equal((await up()).code, 0);
    const [first = 0] = agents();
    renameSync(file, `${file}.away`);
    try {
      process.kill(first, 'SIGKILL');
      while (agents().length !== 1 || agents()[0] === first) await delay(20);
      await laptop.untilTunnel(({ state }) => state === 'up');
      const [link] = (await laptop.status()).tunnels[0]?.links ?? [];
      assert.deepEqual([link?.mode, link?.agent], ['agent', 'pushed']);
    } finally {
      renameSync(`${file}.away`, file);
      await laptop.run('down');
      await host.deserted();
    }
  });
});
