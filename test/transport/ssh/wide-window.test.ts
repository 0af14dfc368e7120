import assert from 'node:assert/strict';
import type { ClientChannel } from 'ssh2';
import { widerWindow } from '../../../src/transport/ssh/wide-window.ts';
import type { Carrier } from '../../../src/transport/transport.ts';
import { FarEnd } from '../../support/far-end.ts';
import { own } from '../../support/recording-pipe.ts';
import { startSshd, type TestSshd } from '../../support/sshd.ts';
import { until } from '../../support/until.ts';
import { connectTo } from './support.ts';

const MIB = 1024 * 1024;
const never = new AbortController().signal;

describe('the window of an SSH channel', () => {
  it('is widened at once, and renewed when 1 MiB of it is used', () => {
    const told: number[][] = [];
    const channel = {
      incoming: { window: 2 * MIB },
      outgoing: { id: 7, state: 'open' },
      _client: { _protocol: { channelWindowAdjust: (...what: number[]) => told.push(what) } },
    };
    const renew = widerWindow(channel as unknown as ClientChannel);
    const use = (bytes: number): void => {
      channel.incoming.window -= bytes;
      renew?.();
    };
    use(0);
    use(MIB - 1);
    use(1);
    assert.deepEqual(told.splice(0), [
      [7, 14 * MIB],
      [7, MIB],
    ]);
    channel.outgoing.state = 'eof';
    use(2 * MIB);
    channel.outgoing.state = 'closing';
    use(2 * MIB);
    assert.deepEqual(told, [[7, 2 * MIB]]);
  });

  it('stays as it is where ssh2 is made otherwise', () => {
    const channel = { incoming: { window: 2 * MIB }, outgoing: { id: 7, state: 'open' } };
    assert.equal(widerWindow(channel as unknown as ClientChannel), undefined);
  });
});

describe('an agent’s pipe over SSH', () => {
  let sshd: TestSshd;
  let far: FarEnd;
  let carrier: Carrier;

  before(async () => {
    sshd = await startSshd();
    far = await FarEnd.start();
    carrier = await connectTo(sshd, { agentPort: far.port });
  });
  after(async () => {
    carrier.close();
    far.stop();
    await sshd.stop();
  });

  /** More than the servers' and the kernel's buffers and a window of 2 MiB hold. */
  const BYTES = 15 * MIB;

  it('lets more be on its way than ssh2 by itself would', async () => {
    const [pipe, socket] = await Promise.all([carrier.openAgentPipe(never), far.next()]);
    let isOut = false;
    socket.end(Buffer.alloc(BYTES, 'x'), () => {
      isOut = true;
    });
    await until(() => isOut);
    const owner = own(pipe);
    await owner.called('end');
    assert.equal(owner.bytes.length, BYTES);
    pipe.close();
  });
});
