import { startSshd, type TestSshd } from '../../support/sshd.ts';
import { until } from '../../support/until.ts';
import { SecretRelay } from './secret-relay.ts';
import { connectTo } from './support.ts';

/**
 * The request for the service is one encrypted packet of about half of this; a request to
 * authenticate is more.
 */
const MORE_THAN_ONE_PACKET = 100;

describe('authentication over SSH', () => {
  let sshd: TestSshd;
  let relay: SecretRelay;

  before(async () => {
    sshd = await startSshd();
  });
  after(() => sshd.stop());

  beforeEach(async () => {
    relay = await SecretRelay.start(sshd);
  });
  afterEach(() => relay.stop());

  it('is asked for before the server has said that it has that service', async () => {
    const connecting = connectTo(sshd, { port: relay.port });
    await until(() => relay.secretBytesFromClient > MORE_THAN_ONE_PACKET);
    relay.release();
    (await connecting).close();
  });
});
