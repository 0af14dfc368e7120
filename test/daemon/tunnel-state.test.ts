import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AgentEnd } from '../support/agent-end.ts';
import { DaemonFixture } from '../support/daemon-fixture.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { COOKIE, SECRET, tunnelEnds } from './tunnel-support.ts';

describe('a tunnel', () => {
  const folder = tempFolder();
  const at = tunnelEnds(folder);

  it('comes back with the daemon, with its secret and on the same epmd port', async () => {
    const before = await at.up();
    assert.equal(readFileSync(join(at.daemon.paths.secretsDir, 'prod'), 'utf8').trim(), SECRET);
    await at.daemon.stop();
    assert.equal(existsSync(at.daemon.paths.controlSocket), false);
    await at.daemon.start();
    at.client = await at.daemon.client();
    const now = await at.until(({ nodes }) => nodes.length === 1);
    assert.equal(now.state, 'up');
    assert.equal((await at.client.call('leading', {})).epmdPort, before.leading.epmdPort);
    for (const file of readdirSync(at.daemon.paths.stateDir, {
      recursive: true,
      withFileTypes: true,
    })) {
      if (!file.isFile()) continue;
      const text = readFileSync(join(file.parentPath, file.name), 'utf8');
      assert.doesNotMatch(text, new RegExp(COOKIE), file.name);
      if (file.name !== 'prod') assert.doesNotMatch(text, new RegExp(SECRET), file.name);
    }
  });

  it('comes back although its agent is away, and is up as soon as that is there', async () => {
    await at.up();
    await at.daemon.stop();
    const { port } = at.agent;
    await at.agent.kill();
    await at.daemon.start();
    at.client = await at.daemon.client();
    assert.equal((await at.until(({ lastError }) => lastError !== null)).state, 'connecting');
    at.agent = await AgentEnd.start({ secret: SECRET, port, nodes: { 'app@dyno-1': at.app.port } });
    await at.until(({ state }) => state === 'up');
  });

  it('is gone for good when it was taken down, and the agent was told', async () => {
    await at.up();
    assert.deepEqual(await at.client.call('down', { name: 'prod' }), { downed: ['prod'] });
    assert.equal(at.agent.goodbyes, 1);
    await assert.rejects(at.client.call('down', { name: 'prod' }), { code: 'TUNNEL_NOT_FOUND' });
    assert.deepEqual(readdirSync(at.daemon.paths.secretsDir), []);
    assert.doesNotMatch(readFileSync(at.daemon.paths.stateFile, 'utf8'), /prod/);
    assert.doesNotMatch(readFileSync(at.daemon.paths.hostsFile, 'utf8'), /dyno-1/);
  });

  it('lets the daemon end when it was the last', async () => {
    const running = await new DaemonFixture(join(folder.path, 'second')).start();
    await at.daemon.stop();
    const last = await at.daemon.start();
    at.client = await at.daemon.client();
    await at.up();
    await at.client.call('down', {});
    at.client.close();
    await last.ended;
    await running.stop('the test is over');
  });

  it('of a daemon in the foreground is not written down', async () => {
    await at.daemon.stop();
    await at.daemon.start({ foreground: true });
    at.client = await at.daemon.client();
    await at.up();
    assert.doesNotMatch(readFileSync(at.daemon.paths.stateFile, 'utf8'), /prod/);
    assert.deepEqual(readdirSync(at.daemon.paths.secretsDir), []);
  });
});
