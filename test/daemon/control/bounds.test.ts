import assert from 'node:assert/strict';
import { ControlClient } from '../../../src/daemon/control/client.ts';
import { MAX_LINE_BYTES, RpcCode } from '../../../src/daemon/control/wire.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { ControlRig, Raw, UP } from './support.ts';

describe('the control socket within its bounds', () => {
  const folder = tempFolder();
  let rig: ControlRig;

  beforeEach(async () => {
    rig = await ControlRig.start(folder.path);
  });
  afterEach(() => rig.stop());

  it('closes who sends what is no JSON, with the error, and nobody else', async () => {
    const client = await rig.connect();
    const raw = new Raw(rig.path);
    raw.socket.write('GET / HTTP/1.1\r\n\r\n');
    const [answer] = await raw.untilClosed();
    assert.equal(answer?.error.code, RpcCode.parse);
    await client.call('hello', {});
  });

  it('closes who sends JSON that is no request', async () => {
    for (const line of ['[]', '7', 'null', '{"id":1}', '{"method":7,"id":1}', '"x"']) {
      const raw = new Raw(rig.path);
      raw.socket.write(`${line}\n{"id":2,"method":"hello"}\n`);
      const answers = await raw.untilClosed();
      assert.equal(answers.length, 1, line);
      assert.equal(answers[0]?.error.code, RpcCode.invalidRequest);
    }
  });

  it('closes who sends a line that does not end', async () => {
    const client = await rig.connect();
    const raw = new Raw(rig.path);
    raw.socket.write('x'.repeat(MAX_LINE_BYTES + 1));
    const [answer] = await raw.untilClosed();
    assert.equal(answer?.error.code, RpcCode.invalidRequest);
    await client.call('hello', {});
  });

  it('refuses more calls of one client than it has room for', async () => {
    const client = await rig.connect();
    rig.onUp = () => new Promise(() => undefined);
    const waiting = Array.from({ length: 16 }, () => client.call('up', UP));
    await assert.rejects(client.call('hello', {}), { code: 'BUSY' });
    client.close();
    for (const call of waiting) await assert.rejects(call, { code: 'DAEMON_NOT_RUNNING' });
  });

  it('closes who does not read its answers, and nobody else', async () => {
    const client = await rig.connect();
    const raw = new Raw(rig.path);
    raw.socket.pause();
    const asked = '{"id":1,"method":"nothing"}\n'.repeat(1_000);
    let open = true;
    const closed = new Promise<void>((resolve) => {
      raw.socket.once('close', () => {
        open = false;
        resolve();
      });
    });
    // An answer has 80 bytes and more: what the kernel takes and the 4 MiB are full long before the
    // last of these.
    for (let sent = 0; open && sent < 500; sent += 1) {
      await new Promise((written) => raw.socket.write(asked, written));
    }
    await closed;
    await client.call('hello', {});
  });

  it('refuses more clients than it has room for, and takes new ones when some have gone', async () => {
    const first = await rig.connect();
    while (rig.clients.length < 64) await rig.connect();
    for (const client of rig.clients) await client.call('hello', {});
    const late = await ControlClient.connect(rig.path);
    await assert.rejects(late.call('hello', {}), { code: 'DAEMON_NOT_RUNNING' });
    const gone = new Promise<void>((resolve) => rig.server.onClientsChanged(resolve));
    first.close();
    await gone;
    await (await rig.connect()).call('hello', {});
  });
});
