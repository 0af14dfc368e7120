import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import { prepareConnections } from '../../src/heroku/direct-fetch.ts';

describe('connections to Heroku that are made in advance', () => {
  it('are as many as were asked for, however often, and none in clear text', async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => sockets.push(socket.on('error', () => undefined)));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    try {
      prepareConnections(new URL(`http://127.0.0.1:${port}`), 2);
      prepareConnections(new URL(`https://127.0.0.1:${port}`), 2);
      prepareConnections(new URL(`https://127.0.0.1:${port}`), 2);
      while (sockets.length < 2) await once(server, 'connection');
      const [hello] = await once(sockets[0] ?? assert.fail(), 'data');
      // A ClientHello, and nothing before it.
      assert.equal((hello as Buffer)[0], 0x16);
      assert.equal(sockets.length, 2);
    } finally {
      for (const socket of sockets) socket.destroy();
      server.close();
    }
  });
});
