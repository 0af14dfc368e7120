import assert from 'node:assert/strict';
import { ControlClient } from '../../../src/daemon/control/client.ts';
import { EpmuxError } from '../../../src/protocol/errors.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { ControlRig, UP } from './support.ts';

describe('a call on the control socket', () => {
  const folder = tempFolder();
  let rig: ControlRig;

  beforeEach(async () => {
    rig = await ControlRig.start(folder.path);
  });
  afterEach(() => rig.stop());

  it('answers many calls of one client at once, in whatever order', async () => {
    const client = await rig.connect();
    let answer: (value: unknown) => void = () => undefined;
    rig.onUp = () => new Promise((resolve) => (answer = resolve));
    const slow = client.call('up', UP);
    assert.deepEqual(await client.call('hello', {}), { version: '1', pid: 7 });
    answer({ alreadyUp: true });
    assert.deepEqual(await slow, { alreadyUp: true });
  });

  it('tells progress to the call that it belongs to', async () => {
    const client = await rig.connect();
    rig.onUp = async ({ progress }) => {
      progress('connecting');
      progress('connected', true);
      return {};
    };
    const steps: unknown[] = [];
    await client.call('up', UP, { onProgress: (step) => steps.push(step) });
    assert.deepEqual(steps, [
      { step: 'connecting', done: false },
      { step: 'connected', done: true },
    ]);
  });

  it('brings errors over with code, message, hint and details', async () => {
    const client = await rig.connect();
    await assert.rejects(client.call('down', {}), (error) => {
      assert.ok(error instanceof EpmuxError);
      const { code, message, hint, details } = error;
      assert.deepEqual(
        { code, message, hint, details },
        { code: 'TUNNEL_NOT_FOUND', message: 'none', hint: 'look', details: { a: 'b' } },
      );
      return true;
    });
  });

  it("makes a handler's own failure INTERNAL, logs it, and goes on", async () => {
    const client = await rig.connect();
    await assert.rejects(client.call('status', {}), { code: 'INTERNAL' });
    assert.ok(rig.logger.has('a bug'));
    await client.call('hello', {});
  });

  it('refuses params that are wrong, by the name of the field, and goes on', async () => {
    const client = await rig.connect();
    await assert.rejects(client.call('status', { name: 'too long' }), {
      code: 'CONTROL_PROTOCOL',
      message: /params\.name/,
    });
    await client.call('hello', {});
  });

  it('refuses a method that it does not know, and goes on', async () => {
    const client = await rig.connect();
    await assert.rejects(client.call('sing' as 'hello', {}), { message: /no method sing/ });
    await assert.rejects(client.call('toString' as 'hello', {}), { message: /no method/ });
    await client.call('hello', {});
  });

  it('aborts what a client waits for when the client is gone', async () => {
    const client = await rig.connect();
    const aborted = new Promise<void>((resolve) => {
      rig.onUp = ({ signal }) => {
        signal.addEventListener('abort', () => resolve());
        client.close();
        return new Promise(() => undefined);
      };
    });
    await assert.rejects(client.call('up', UP), { code: 'DAEMON_NOT_RUNNING' });
    await aborted;
  });

  it('aborts what a client cancels, and the connection stays', async () => {
    const client = await rig.connect();
    const interrupt = new AbortController();
    const aborted = new Promise<void>((resolve) => {
      rig.onUp = ({ signal }) => {
        signal.addEventListener('abort', () => resolve());
        interrupt.abort();
        return new Promise(() => undefined);
      };
    });
    const call = client.call('up', UP, { signal: interrupt.signal });
    await assert.rejects(call, { code: 'INTERRUPTED' });
    await aborted;
    await client.call('hello', {});
  });

  it('is waited for within a limit', async () => {
    const client = await rig.connect();
    const aborted = new Promise<void>((resolve) => {
      rig.onUp = ({ signal }) => {
        signal.addEventListener('abort', () => resolve());
        return new Promise(() => undefined);
      };
    });
    await assert.rejects(client.call('up', UP, { timeoutMs: 20 }), { code: 'TIMEOUT' });
    await aborted;
  });

  it('fails after 30 s unless told, by the clock of who connects, and leaves no timer', async () => {
    const clock = new ManualClock();
    const client = await ControlClient.connect(rig.path, { clock });
    rig.clients.push(client);
    const heard = new Promise<void>((resolve) => {
      rig.onUp = () => {
        resolve();
        return new Promise(() => undefined);
      };
    });
    const call = client.call('up', UP);
    await heard;
    clock.advance(30_000);
    await assert.rejects(call, { code: 'TIMEOUT' });
    await client.call('hello', {});
    assert.equal(clock.waiting, 0);
  });

  it('is given up with the reason of the abort', async () => {
    const client = await rig.connect();
    const reason = new EpmuxError('TUNNEL_DOWN', 'taken down');
    await assert.rejects(client.call('hello', {}, { signal: AbortSignal.abort(reason) }), reason);
  });
});
