import assert from 'node:assert/strict';
import { own } from '../../support/recording-pipe.ts';
import { startSshd } from '../../support/sshd.ts';
import { until } from '../../support/until.ts';
import { connectTo } from './support.ts';

const never = new AbortController().signal;

describe('the host keys that an SSH server tells of', () => {
  it('are not asked for: its proof would stand before all that is asked of it', async () => {
    const sshd = await startSshd({ hostKeys: ['ed25519', 'rsa'], config: ['LogLevel DEBUG1'] });
    try {
      const carrier = await connectTo(sshd);
      const remote = await carrier.exec?.({ command: 'echo through' }, never);
      const owner = own((remote ?? assert.fail()).io);
      await owner.called('closed');
      carrier.close();
      await until(() => /disconnected/i.test(sshd.log()));
      assert.equal(owner.text, 'through\n');
      assert.match(sshd.log(), /^debug1: /m);
      assert.doesNotMatch(sshd.log(), /hostkeys-prove/);
    } finally {
      await sshd.stop();
    }
  });
});
