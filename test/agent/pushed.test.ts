import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { parseAgentOptions } from '../../src/agent/options.ts';
import { PushedLife, takePushedSecret } from '../../src/agent/pushed.ts';
import { startTunnel } from '../../src/agent/tunnel.ts';
import { WireCode } from '../../src/protocol/constants.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { tempFolder } from '../support/temp-folder.ts';

const SECRET = 'a secret of sixteen bytes';

describe('the folder of a pushed agent', () => {
  const parent = tempFolder();
  const make = (mode = 0o700): string => {
    const folder = join(parent.path, 'pushed');
    mkdirSync(folder, { mode });
    chmodSync(folder, mode);
    writeFileSync(join(folder, 'secret'), SECRET, { mode: 0o600 });
    writeFileSync(join(folder, 'agent.mjs'), '');
    return folder;
  };
  const take = (folder: string): string =>
    Buffer.from(takePushedSecret(folder, silentLogger)).toString();

  it('is gone once the secret is read', () => {
    const folder = make();
    assert.equal(take(folder), SECRET);
    assert.ok(!existsSync(folder));
  });

  it('is gone also when there is no secret in it', () => {
    const folder = make();
    writeFileSync(join(folder, 'secret'), 'short');
    assert.throws(() => take(folder), { code: 'USAGE' });
    assert.ok(!existsSync(folder));
  });

  it('keeps what does not belong to the agent', () => {
    const folder = make();
    writeFileSync(join(folder, 'thesis.tex'), '');
    assert.equal(take(folder), SECRET);
    assert.deepEqual(readdirSync(folder), ['thesis.tex']);
  });

  it('is left alone when others may enter it, when it is a link, and when it is none', () => {
    const open = make(0o750);
    assert.throws(() => take(open), { code: 'PERMISSION_DENIED', message: /others may enter it/ });
    chmodSync(open, 0o700);
    const link = join(parent.path, 'link');
    symlinkSync(open, link);
    assert.throws(() => take(link), { code: 'PERMISSION_DENIED' });
    assert.throws(() => take(join(parent.path, 'no')), {
      code: 'PERMISSION_DENIED',
      message: /ENOENT/,
    });
    assert.deepEqual(readdirSync(open).sort(), ['agent.mjs', 'secret']);
  });
});

describe('the life of a pushed agent', () => {
  const GRACE_MS = 900_000;
  const begin = () => {
    const clock = new ManualClock();
    const life = new PushedLife(clock, GRACE_MS);
    let over = false;
    void life.over.then(() => {
      over = true;
    });
    const isOver = async (): Promise<boolean> => {
      await Promise.resolve();
      return over;
    };
    return { clock, life, isOver };
  };
  const orderly = { code: WireCode.NONE, text: '' };

  it('is short when nobody attaches', async () => {
    const { clock, isOver } = begin();
    clock.advance(59_999);
    assert.equal(await isOver(), false);
    clock.advance(1);
    assert.equal(await isOver(), true);
  });

  it('goes on for the grace without a connection, counted from each loss anew', async () => {
    const { clock, life, isOver } = begin();
    life.onAttached(1);
    clock.advance(10 * GRACE_MS);
    life.onAttached(0);
    clock.advance(GRACE_MS - 1);
    life.onAttached(1);
    life.onAttached(0);
    clock.advance(GRACE_MS - 1);
    assert.equal(await isOver(), false);
    clock.advance(1);
    assert.equal(await isOver(), true);
  });

  it('ends with the orderly end of the last session', async () => {
    const { life, isOver } = begin();
    life.onAttached(2);
    life.onEnded(orderly, 1);
    assert.equal(await isOver(), false);
    life.onEnded({ code: WireCode.PROTOCOL, text: '' }, 0);
    assert.equal(await isOver(), false);
    life.onEnded(orderly, 0);
    assert.equal(await isOver(), true);
  });

  it('holds no timer once it is closed', () => {
    const { clock, life } = begin();
    life.close();
    assert.equal(clock.waiting, 0);
  });
});

describe('a pushed agent', () => {
  it('asks for the nodes before anybody is attached: whoever pushed it is about to', async () => {
    const epmd = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await once(epmd, 'listening');
    const { port } = epmd.address() as AddressInfo;
    const argv = ['--pushed', '/nowhere', '--epmd-port', String(port)];
    const request = parseAgentOptions(argv, {});
    assert.ok(request.kind === 'run');
    const asked = once(epmd, 'connection');
    const tunnel = await startTunnel(request.options, Buffer.from(SECRET), silentLogger);
    await asked;
    await tunnel.stop();
    epmd.close();
  });
});
