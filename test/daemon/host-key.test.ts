import assert from 'node:assert/strict';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { TunnelSpec } from '../../src/daemon/control/api.ts';
import { AgentEnd } from '../support/agent-end.ts';
import { connectSpec, DaemonFixture } from '../support/daemon-fixture.ts';
import { freePort } from '../support/erlang.ts';
import { startSshd, type TestSshd } from '../support/sshd.ts';
import { tempFolder } from '../support/temp-folder.ts';

const SECRET = 'a secret of sixteen bytes';

describe('a host key that was accepted for a tunnel', function () {
  this.timeout(30_000);
  const folder = tempFolder();
  let sshd: TestSshd;
  let agent: AgentEnd;
  let daemon: DaemonFixture;

  beforeEach(async () => {
    sshd = await startSshd();
    agent = await AgentEnd.start({ secret: SECRET, nodes: { 'app@dyno': await freePort() } });
    daemon = new DaemonFixture(folder.path);
  });
  afterEach(async () => {
    await daemon.stop();
    await agent.kill();
    await sshd.stop();
  });

  it('is not trusted any more once the person has removed it from known_hosts', async () => {
    const { user, host, port, identityFile } = sshd;
    const way: TunnelSpec['way'] = { kind: 'ssh', user, host, port, identityFile };
    const spec = connectSpec(0, { way, agentPort: agent.port });
    const running = await daemon.start();
    const client = await daemon.client();
    const secrets = { secret: SECRET, acceptHostKey: sshd.fingerprint };
    await client.call('up', { spec, secrets });
    const file = join(folder.path, '.ssh', 'known_hosts');
    assert.ok(existsSync(file));
    assert.deepEqual(running.tunnels.memory()[0]?.secrets, { secret: SECRET });
    rmSync(file);
    await sshd.resetConnections();
    const tunnel = running.tunnels.get('prod');
    while (tunnel.status().lastError?.code !== 'HOST_KEY_UNKNOWN') await delay(20);
    assert.equal(tunnel.status().state, 'failed');
    assert.ok(!existsSync(file));
  });
});
