import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { systemClock } from '../../src/runtime/clock.ts';
import { NodeCoupling } from '../../src/runtime/node-coupling.ts';
import { duplexPipe } from '../../src/runtime/socket-pipe.ts';

describe('distribution over TLS', function () {
  this.timeout(10_000);
  const servers: Server[] = [];
  const sockets: Socket[] = [];
  after(() => {
    for (const socket of sockets) socket.destroy();
    for (const server of servers) server.close();
  });

  async function serve(server: Server): Promise<number> {
    servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    assert.ok(address !== null && typeof address === 'object');
    return address.port;
  }

  function dial(port: number): Socket {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    sockets.push(socket);
    return socket;
  }

  it('passes untouched through two relays', async () => {
    const psk = { psk: Buffer.alloc(32, 7), identity: 'node' };
    const ciphers = 'PSK-AES128-GCM-SHA256';
    const far = createTlsServer({ ciphers, maxVersion: 'TLSv1.2', pskCallback: () => psk.psk });
    far.on('secureConnection', (socket) => socket.pipe(socket));
    const couplings: NodeCoupling[] = [];
    const relay = async (side: 'connector' | 'acceptor', to: number): Promise<number> => {
      const couple = (socket: Socket): void => {
        sockets.push(socket);
        const [node, tunnel] = side === 'connector' ? [socket, dial(to)] : [dial(to), socket];
        const pipes = { node: duplexPipe(node, 'node'), tunnel: duplexPipe(tunnel, 'tunnel') };
        const options = { ...pipes, relay: { side }, clock: systemClock, onClosed() {} };
        couplings.push(new NodeCoupling(options));
      };
      return serve(createServer({ allowHalfOpen: true }, couple));
    };
    const port = await relay('connector', await relay('acceptor', await serve(far)));
    const options = { maxVersion: 'TLSv1.2', pskCallback: () => psk, checkServerIdentity() {} };
    const socket = connectTls({ port, host: '127.0.0.1', ciphers, ...options } as never);
    sockets.push(socket);
    await once(socket, 'secureConnect');
    const sent = Buffer.alloc(300_000, 'distribution');
    socket.write(sent);
    const echoed: Buffer[] = [];
    for (let length = 0; length < sent.length; ) {
      const [chunk] = await once(socket, 'data');
      echoed.push(chunk);
      length += chunk.length;
    }
    assert.deepEqual(Buffer.concat(echoed), sent);
    assert.deepEqual(
      couplings.map(({ relay: { phase } }) => phase),
      ['opaque', 'opaque'],
    );
  });
});
