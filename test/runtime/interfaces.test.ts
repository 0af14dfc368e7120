import assert from 'node:assert/strict';
import { once } from 'node:events';
import { syncBuiltinESMExports } from 'node:module';
import { type AddressInfo, createServer } from 'node:net';
import os from 'node:os';
import { dialOwnHost } from '../../src/agent/dial.ts';
import { Surroundings } from '../../src/daemon/surroundings.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { knownInterfaces } from '../../src/runtime/interfaces.ts';
import { leaveOut } from '../support/left-out.ts';
import { ManualClock } from '../support/manual-clock.ts';

describe('a node that listens on an address of this host alone', () => {
  it('is reached there', async function () {
    const own = Object.values(os.networkInterfaces())
      .flatMap((entries) => entries ?? [])
      .find(({ internal, family }) => !internal && family === 'IPv4');
    if (own === undefined) leaveOut(this, 'this host has the loopback alone');
    const server = createServer().listen(0, own.address);
    try {
      await once(server, 'listening');
      (await dialOwnHost((server.address() as AddressInfo).port, systemClock)).destroy();
    } finally {
      server.close();
    }
  });
});

describe('a system that does not tell its network interfaces', () => {
  const { networkInterfaces } = os;
  beforeEach(() => {
    // What Node says where a unit's RestrictAddressFamilies= leaves out AF_NETLINK.
    os.networkInterfaces = () => {
      throw new Error(
        'A system error occurred: uv_interface_addresses returned Unknown system error 97',
      );
    };
    syncBuiltinESMExports();
  });
  afterEach(() => {
    os.networkInterfaces = networkInterfaces;
    syncBuiltinESMExports();
  });

  it('keeps nobody from a node on the loopback, nor the daemon from starting', async () => {
    assert.deepEqual(knownInterfaces(), {});
    const server = createServer().listen(0, '127.0.0.1');
    try {
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      (await dialOwnHost(port, systemClock)).destroy();
    } finally {
      server.close();
    }
    await assert.rejects(dialOwnHost(1, systemClock), { code: 'CONNECT_FAILED' });
    const surroundings = new Surroundings({
      clock: new ManualClock(),
      onChanged: () => assert.fail('nothing has changed'),
      eager: () => false,
      onLook: () => undefined,
    });
    surroundings.close();
  });
});
