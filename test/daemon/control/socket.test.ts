import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { ControlClient } from '../../../src/daemon/control/client.ts';
import { ControlServer } from '../../../src/daemon/control/server.ts';
import { EpmuxError } from '../../../src/protocol/errors.ts';
import { DEFAULT_LIMITS } from '../../support/default-limits.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { ControlRig, handlers, never, UP } from './support.ts';

describe('the control socket', () => {
  const folder = tempFolder();
  let rig: ControlRig;

  beforeEach(async () => {
    rig = await ControlRig.start(folder.path);
  });
  afterEach(() => rig.stop());

  it('is for its owner alone', () => {
    assert.equal(statSync(rig.path).mode & 0o777, 0o600);
  });

  it('tells a command that no daemon runs', async () => {
    await assert.rejects(ControlClient.connect(join(folder.path, 'none')), {
      code: 'DAEMON_NOT_RUNNING',
    });
  });

  it('tells a command when the daemon ends in the middle of a call', async () => {
    const client = await rig.connect();
    rig.onUp = () => {
      void rig.server.close();
      return new Promise(() => undefined);
    };
    await assert.rejects(client.call('up', UP), { code: 'DAEMON_NOT_RUNNING' });
    await assert.rejects(client.call('hello', {}), { code: 'DAEMON_NOT_RUNNING' });
  });

  it('lets last answers out before it closes', async () => {
    const client = await rig.connect();
    rig.onUp = async () => {
      setImmediate(() => void rig.server.close());
      return { alreadyUp: false };
    };
    assert.deepEqual(await client.call('up', UP), { alreadyUp: false });
  });

  it('is taken over from a daemon that died, not from one that lives', async () => {
    const listen = (path: string) =>
      ControlServer.listen(path, handlers(never), rig.logger, DEFAULT_LIMITS);
    await assert.rejects(listen(rig.path), {
      code: 'DAEMON_BUSY',
    });
    const stale = join(folder.path, 'stale.sock');
    const dead = net.createServer().listen(stale);
    await once(dead, 'listening');
    // What a crash leaves: the file, and nobody behind it.
    renameSync(stale, `${stale}.kept`);
    dead.close();
    renameSync(`${stale}.kept`, stale);
    const next = await listen(stale);
    await (await ControlClient.connect(stale)).call('hello', {});
    await next.close();
  });

  it('comes back where its folder was removed, and keeps its connections', async () => {
    const runtime = join(folder.path, 'runtime');
    mkdirSync(runtime);
    const other = await ControlRig.start(runtime);
    const before = await other.connect();
    const none = () => assert.fail('its folder is there');
    await other.server.look(none);
    rmSync(runtime, { recursive: true });
    for (let look = 0; look < 3; look += 1) {
      await other.server.look(() => {
        throw new EpmuxError('PERMISSION_DENIED', 'nobody is logged in');
      });
    }
    const told = other.logger.lines.filter((line) => line.includes('no command reaches'));
    assert.equal(told.length, 1);
    await other.server.look(() => mkdirSync(runtime));
    assert.equal(statSync(other.path).mode & 0o777, 0o600);
    await (await other.connect()).call('hello', {});
    await before.call('hello', {});
    await other.server.look(none);
    await other.stop();
    await other.server.look(none);
    await assert.rejects(other.connect(), { code: 'DAEMON_NOT_RUNNING' });
  });

  it('tells a command that something else answers there', async () => {
    const other = join(folder.path, 'other.sock');
    const stranger = net.createServer((socket) => socket.end('220 welcome\n')).listen(other);
    await once(stranger, 'listening');
    const client = await ControlClient.connect(other);
    await assert.rejects(client.call('hello', {}), { code: 'CONTROL_PROTOCOL' });
    stranger.close();
  });
});
