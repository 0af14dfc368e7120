import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Daemon } from '../../src/daemon/daemon.ts';
import { SecretStore } from '../../src/daemon/secrets.ts';
import { AgentEnd } from '../support/agent-end.ts';
import { connectSpec, DaemonFixture } from '../support/daemon-fixture.ts';
import { FarEnd } from '../support/far-end.ts';
import { tempFolder } from '../support/temp-folder.ts';

const SECRET = 'a secret of 16 bytes';

describe('a tunnel while it comes up', () => {
  const folder = tempFolder();
  let far: FarEnd;
  let fixture: DaemonFixture;
  let daemon: Daemon;

  beforeEach(async () => {
    far = await FarEnd.start();
    fixture = new DaemonFixture(folder.path);
    daemon = await fixture.start();
  });
  afterEach(async () => {
    await fixture.stop();
    far.stop();
  });

  it('is told to whoever waits for it when it is taken down', async () => {
    const [waiting, other] = [await fixture.client(), await fixture.client()];
    const secrets = { secret: SECRET };
    const up = waiting.call('up', { spec: connectSpec(far.port), secrets });
    const told = assert.rejects(up, { code: 'TUNNEL_DOWN', message: 'prod was taken down' });
    await far.next();
    assert.deepEqual(await other.call('down', { name: 'prod' }), { downed: ['prod'] });
    await told;
  });

  it('begins anew with a secret that is given meanwhile, and not with the same one', async () => {
    const told: Promise<void>[] = [];
    const up = async (secret: string): Promise<void> => {
      const client = await fixture.client();
      const call = client.call('up', { spec: connectSpec(far.port), secrets: { secret } });
      told.push(assert.rejects(call, { code: 'TUNNEL_DOWN' }));
      // Calls are begun in the order in which they come.
      await client.call('hello', {});
    };
    await up(SECRET);
    await far.next();
    await up(SECRET);
    assert.equal(far.connections, 1);
    await up('another one of 16 bytes');
    await far.next();
    const client = await fixture.client();
    await client.call('down', { name: 'prod' });
    await Promise.all(told);
  });

  it('tells that its secret can not be kept, and keeps it as soon as it can be', async () => {
    const agent = await AgentEnd.start({ secret: SECRET, nodes: { 'app@dyno-1': far.port } });
    const { secretsDir } = fixture.paths;
    rmSync(secretsDir, { recursive: true });
    writeFileSync(secretsDir, 'in the way');
    try {
      const client = await fixture.client();
      await client.call('up', { spec: connectSpec(agent.port), secrets: { secret: SECRET } });
      const problems = async () => (await client.call('status', {})).daemon.problems;
      await daemon.tunnels.retry();
      assert.match((await problems())?.join() ?? '', /^the secret of prod can not be kept: /);
      rmSync(secretsDir);
      mkdirSync(secretsDir);
      await daemon.tunnels.retry();
      assert.equal(await problems(), undefined);
      assert.equal(readFileSync(join(secretsDir, 'prod'), 'utf8'), `${SECRET}\n`);
    } finally {
      await agent.kill();
    }
  });

  it('is not written down once it is taken down, though its secret is being written', async () => {
    const agent = await AgentEnd.start({ secret: SECRET, nodes: { 'app@dyno-1': far.port } });
    const { write } = SecretStore.prototype;
    const reached = new Promise<() => void>((resolve) => {
      SecretStore.prototype.write = async function (...words) {
        await new Promise<void>((goOn) => resolve(goOn));
        return write.apply(this, words);
      };
    });
    try {
      const [waiting, other] = [await fixture.client(), await fixture.client()];
      const spec = connectSpec(agent.port);
      const up = waiting.call('up', { spec, secrets: { secret: SECRET } });
      const goOn = await reached;
      assert.deepEqual(await other.call('down', { name: 'prod' }), { downed: ['prod'] });
      goOn();
      await up;
    } finally {
      SecretStore.prototype.write = write;
      await agent.kill();
    }
    assert.deepEqual(readdirSync(fixture.paths.secretsDir), []);
    const written = existsSync(fixture.paths.stateFile) && readFileSync(fixture.paths.stateFile);
    assert.doesNotMatch(String(written), /prod/);
  });
});
