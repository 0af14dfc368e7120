import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync, watch } from 'node:fs';
import { join } from 'node:path';
import type { DaemonStatus } from '../../src/daemon/control/api.ts';
import { connectDaemon } from '../../src/daemon/control/client.ts';
import { daemonPaths } from '../../src/daemon/paths.ts';
import { TestDyno } from '../support/dyno.ts';
import type { ErlangNode } from '../support/erlang.ts';
import { Laptop } from '../support/laptop.ts';

const HANG_MS = 4_000;

/**
 * Resolves when no process has this pid any more. Those looked at here are nobody's zombies: their
 * parents wait for them.
 */
async function gone(pid: number): Promise<void> {
  while (isThere(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('a tunnel whose daemon is killed', function () {
  this.timeout(120_000);
  let dyno: TestDyno;
  let laptop: Laptop;
  let app: ErlangNode;
  let me: ErlangNode;

  before(async () => {
    dyno = await TestDyno.start();
    laptop = await Laptop.start();
    laptop.env['EPMUX_LIMITS'] = `hang-ms=${HANG_MS}`;
    app = await dyno.erlang.node('app');
    await laptop.run('up', 'prod', ...laptop.wayTo(dyno));
    me = await laptop.node('me');
  });

  after(async () => {
    await laptop?.stop();
    await dyno?.stop();
  });

  /** Without a command of epmux, which would mend what it finds. */
  const look = async (): Promise<DaemonStatus | undefined> => {
    try {
      const client = await connectDaemon(daemonPaths(laptop.env));
      return await client.call('status', {}).finally(() => client.close());
    } catch {
      return undefined;
    }
  };
  const untilUp = async (): Promise<DaemonStatus> => {
    for (;;) {
      const found = await look();
      const [tunnel] = found?.tunnels ?? [];
      if (found !== undefined && tunnel?.state === 'up' && tunnel.nodes.length > 0) return found;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const home = () => laptop.env['EPMUX_HOME'] ?? '';
  const connect = async () => {
    while ((await me.eval(`net_kernel:connect_node('${app.name}')`)) !== 'true');
  };
  const guests = () => app.eval('nodes(hidden)');

  it('has another daemon within a moment, and the node there sees no ghost of the guest', async () => {
    await connect();
    assert.equal(await guests(), `[${me.name}]`);
    const { daemon } = await untilUp();
    process.kill(daemon.pid, 'SIGKILL');
    await me.event((event) => event.type === 'nodedown' && event.node === app.name);
    const after = await untilUp();
    assert.notEqual(after.daemon.pid, daemon.pid);
    assert.equal(after.daemon.supervisor, daemon.supervisor);
    assert.equal(after.daemon.restarts, 1);
    await app.event((event) => event.type === 'nodedown' && event.node === me.name);
    await connect();
    assert.equal(await me.eval(`rpc:call('${app.name}', erlang, node, [])`), `'${app.name}'`);
  });

  it('leaves a report for its user alone, without a secret', async () => {
    const { lastCrash } = (await laptop.status()).daemon;
    assert.equal(lastCrash?.reason, 'killed by SIGKILL');
    const file = lastCrash?.report ?? '';
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const text = readFileSync(file, 'utf8');
    assert.match(text, /attached to the agent/);
    for (const secret of [dyno.secret, dyno.erlang.cookie, laptop.erlang.cookie]) {
      assert.equal(text.includes(secret), false);
    }
    assert.match(await laptop.run('status'), /killed by SIGKILL/);
  });

  it('does not notice that the supervisor is killed; the next command starts one, which brings it back as well', async () => {
    await connect();
    const { daemon } = await untilUp();
    const call = me.eval(`rpc:call('${app.name}', timer, sleep, [1500])`);
    process.kill(daemon.supervisor ?? 0, 'SIGKILL');
    await gone(daemon.supervisor ?? 0);
    assert.equal(await call, 'ok');
    assert.equal((await look())?.daemon.supervisor, null);
    await laptop.run('nodes');
    const log = join(home(), 'daemon.log');
    while (!readFileSync(log, 'utf8').includes(`watches the daemon pid=${daemon.pid}`)) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const found = await untilUp();
    assert.equal(found.daemon.pid, daemon.pid);
    assert.notEqual(found.daemon.supervisor, daemon.supervisor);
    process.kill(daemon.pid, 'SIGKILL');
    const after = await untilUp();
    assert.equal(after.daemon.supervisor, found.daemon.supervisor);
    assert.equal(after.daemon.restarts, 2);
    assert.equal(after.daemon.lastCrash?.reason, 'it ended without a word');
  });

  it('comes back when its daemon stands still', async () => {
    const { daemon } = await untilUp();
    const folder = join(home(), 'crashes');
    const reports = readdirSync(folder).length;
    process.kill(daemon.pid, 'SIGSTOP');
    const watcher = watch(folder);
    while (readdirSync(folder).length === reports) await once(watcher, 'change');
    watcher.close();
    const after = await untilUp();
    assert.match(after.daemon.lastCrash?.reason ?? '', /^no answer for \d+ s$/);
    await connect();
  });

  it('comes back with the next `up` when both were killed', async () => {
    const { daemon } = await untilUp();
    process.kill(daemon.supervisor ?? 0, 'SIGKILL');
    process.kill(daemon.pid, 'SIGKILL');
    await gone(daemon.pid);
    assert.match(await laptop.run('up', 'prod', ...laptop.wayTo(dyno)), /app@/);
    const after = await untilUp();
    assert.notEqual(after.daemon.supervisor, daemon.supervisor);
    assert.notEqual(after.daemon.supervisor, null);
  });

  it('keeps a cookie that only its memory holds', async () => {
    await laptop.run('down', 'prod');
    const straight = ['--agent', 'none', '--epmd-port', String(dyno.erlang.epmdPort)];
    const way = [...laptop.wayTo(dyno), ...straight];
    const up = await laptop.epmux(['up', 'straight', ...way], { EPMUX_COOKIE: dyno.erlang.cookie });
    assert.equal(up.code, 0, up.stderr);
    assert.match(await laptop.run('ping', app.name), /pong/);
    process.kill((await untilUp()).daemon.pid, 'SIGKILL');
    await untilUp();
    assert.match(await laptop.run('ping', app.name), /pong/);
  });

  it('ends in order with its daemon when the supervisor is asked to', async () => {
    const { daemon } = await untilUp();
    process.kill(daemon.supervisor ?? 0, 'SIGTERM');
    await gone(daemon.supervisor ?? 0);
    assert.equal(isThere(daemon.pid), false);
    for (const left of ['supervisor.lock', 'daemon.lock', 'run/control.sock']) {
      assert.equal(existsSync(join(home(), left)), false, left);
    }
  });
});
