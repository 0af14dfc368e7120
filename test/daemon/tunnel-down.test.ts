import assert from 'node:assert/strict';
import { connectSpec, DaemonFixture } from '../support/daemon-fixture.ts';
import { FarEnd } from '../support/far-end.ts';
import { tempFolder } from '../support/temp-folder.ts';

describe('a tunnel that is taken down while it comes up', () => {
  const folder = tempFolder();
  let far: FarEnd;
  let fixture: DaemonFixture;

  beforeEach(async () => {
    far = await FarEnd.start();
    fixture = new DaemonFixture(folder.path);
    await fixture.start();
  });
  afterEach(async () => {
    await fixture.stop();
    far.stop();
  });

  it('is told to whoever waits for it', async () => {
    const [waiting, other] = [await fixture.client(), await fixture.client()];
    const secrets = { secret: 'a secret of 16 bytes' };
    const up = waiting.call('up', { spec: connectSpec(far.port), secrets });
    const told = assert.rejects(up, { code: 'TUNNEL_DOWN', message: 'prod was taken down' });
    await far.next();
    assert.deepEqual(await other.call('down', { name: 'prod' }), { downed: ['prod'] });
    await told;
  });
});
