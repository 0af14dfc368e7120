import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { endianness } from 'node:os';
import { join } from 'node:path';
import {
  type FarEnd,
  isListenerOf,
  ListeningUser,
  listenersNow,
} from '../../src/agent/listening-user.ts';
import { leaveOut } from '../support/left-out.ts';
import { tempFolder } from '../support/temp-folder.ts';

const OWN = 1_000;
const OTHER = 1_001;
const PORT = 5_000;

/** An address as the kernel writes it. */
function hexOf(...bytes: number[]): string {
  const buffer = Buffer.from(bytes);
  if (endianness() === 'LE') buffer.swap32();
  return buffer.toString('hex').toUpperCase();
}

const zeros = (count: number): number[] => Array.from({ length: count }, () => 0);
const LOOPBACK = hexOf(127, 0, 0, 1);
const ANY = hexOf(0, 0, 0, 0);
const LOOPBACK_6 = hexOf(...zeros(15), 1);
const ANY_6 = hexOf(...zeros(16));
const LOOPBACK_4_IN_6 = hexOf(...zeros(10), 255, 255, 127, 0, 0, 1);

describe('the user of a listening socket', () => {
  const temp = tempFolder();

  type Row = readonly [address: string, uid: number, state?: string, port?: number];

  function table(name: 'tcp' | 'tcp6', rows: readonly Row[]): void {
    mkdirSync(join(temp.path, 'net'), { recursive: true });
    const lines = rows.map(([address, uid, state = '0A', port = PORT], index) => {
      const local = `${address}:${port.toString(16).toUpperCase().padStart(4, '0')}`;
      const remote = `${'0'.repeat(address.length)}:0000`;
      const counts = '00000000:00000000 00:00000000 00000000';
      const fields = [`${String(index).padStart(4)}:`, local, remote, state, counts];
      return `${fields.join(' ')} ${String(uid).padStart(5)}        0 1`.padEnd(149).concat('\n');
    });
    writeFileSync(join(temp.path, 'net', name), `  sl  local_address …\n${lines.join('')}`);
  }

  async function isOf(uid: number, farEnd: FarEnd, proc = temp.path): Promise<boolean | undefined> {
    const all = await listenersNow(proc);
    return all && isListenerOf(uid, farEnd, all);
  }

  const isOwn = (remoteAddress = '127.0.0.1') => isOf(OWN, { remoteAddress, remotePort: PORT });

  it('is not told where there are no tables', async () => {
    assert.equal(await isOwn(), undefined);
  });

  it('is not told where nobody may read them', async function () {
    if (process.getuid?.() === 0) leaveOut(this, 'root may read everything');
    table('tcp', [[LOOPBACK, OTHER]]);
    chmodSync(join(temp.path, 'net', 'tcp'), 0);
    assert.equal(await isOwn(), undefined);
  });

  it('is nobody’s where they can not be read at this moment', async () => {
    mkdirSync(join(temp.path, 'net', 'tcp'), { recursive: true });
    assert.equal(await isOwn(), false);
  });

  it('is that of the row with the address, or of one that stands for all', async () => {
    for (const [name, address] of [
      ['tcp', LOOPBACK],
      ['tcp', ANY],
      ['tcp6', ANY_6],
      ['tcp6', LOOPBACK_4_IN_6],
    ] as const) {
      table('tcp', []);
      table('tcp6', []);
      table(name, [[address, OWN]]);
      assert.equal(await isOwn(), true, address);
      table(name, [[address, OTHER]]);
      assert.equal(await isOwn(), false, address);
    }
    table('tcp', []);
    for (const address of [LOOPBACK_6, ANY_6]) {
      table('tcp6', [[address, OWN]]);
      assert.equal(await isOwn('::1'), true, address);
      table('tcp6', [[address, OTHER]]);
      assert.equal(await isOwn('::1'), false, address);
    }
  });

  it('is nobody else’s only where all that may listen there are one’s own', async () => {
    table('tcp', [
      [LOOPBACK, OWN],
      [ANY, OTHER],
    ]);
    assert.equal(await isOwn(), false);
  });

  it('is not that of another port, address, family or state', async () => {
    table('tcp', [
      [LOOPBACK, OWN],
      [LOOPBACK, OTHER, '0A', PORT + 1],
      [LOOPBACK, OTHER, '01'],
      [hexOf(127, 0, 0, 2), OTHER],
    ]);
    table('tcp6', [
      [LOOPBACK_6, OTHER],
      [ANY_6, OTHER],
    ]);
    assert.equal(await isOwn(), true, 'a socket for IPv6 alone may stand beside it');
    assert.equal(await isOwn('::1'), false);
    assert.equal(await isOwn('10.0.0.1'), false);
  });

  it('is none of ours where nothing listens there, or nobody is there any more', async () => {
    table('tcp', [[LOOPBACK, OWN, '01']]);
    assert.equal(await isOwn(), false);
    table('tcp', [[LOOPBACK, OWN]]);
    assert.equal(await isOf(OWN, {}), false);
  });

  it('has to be one’s own before and after a connect', async () => {
    const socket = { remoteAddress: '127.0.0.1', remotePort: PORT };
    const dialled = async (before: number, after: number): Promise<boolean> => {
      table('tcp', [[LOOPBACK, before]]);
      const { isOwn } = await new ListeningUser({ uid: OWN, proc: temp.path }).dial(async () => {
        table('tcp', [[LOOPBACK, after]]);
        return { socket };
      });
      return isOwn;
    };
    assert.equal(await dialled(OWN, OWN), true);
    assert.equal(await dialled(OTHER, OWN), false);
    assert.equal(await dialled(OWN, OTHER), false);
    const blind = new ListeningUser({ uid: OWN, proc: '/nowhere' });
    assert.equal((await blind.dial(async () => ({ socket }))).isOwn, true);
  });

  it('is looked for once for all who connect meanwhile, and anew for each of them', async () => {
    table('tcp', [[LOOPBACK, OWN]]);
    const most = 100;
    const socket = { remoteAddress: '127.0.0.1', remotePort: PORT };
    const user = new ListeningUser({ uid: OWN, proc: temp.path });
    const { arrayBuffers } = process.memoryUsage();
    let peak = 0;
    const dialled = Array.from({ length: most }, (_, index) =>
      user.dial(async () => {
        peak = Math.max(peak, process.memoryUsage().arrayBuffers - arrayBuffers);
        // The last to connect finds another user there, and so does every look after that.
        if (index === most - 1) table('tcp', [[LOOPBACK, OTHER]]);
        return { socket };
      }),
    );
    const own = (await Promise.all(dialled)).filter(({ isOwn }) => isOwn);
    assert.equal(own.length, 0);
    assert.ok(peak < 8 * 1_048_576, `${peak} bytes for tables`);
  });

  it('is looked for in so many rows', async () => {
    const others = Array.from({ length: 2_000 }, (): Row => [LOOPBACK, OWN, '0A', PORT + 1]);
    table('tcp', [[LOOPBACK, OWN], ...others]);
    assert.equal(await isOwn(), true);
    table('tcp', [...others, [LOOPBACK, OWN]]);
    assert.equal(await isOwn(), false);
  });

  it('is what this system says of a real one', async function () {
    if (process.platform !== 'linux') leaveOut(this, 'only Linux tells whose a socket is');
    const uid = process.getuid?.() ?? -1;
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { readonly port: number };
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    assert.equal(await isOf(uid, socket, '/proc'), true);
    assert.equal(await isOf(uid + 1, socket, '/proc'), false);
    socket.destroy();
    server.close();
  });
});
