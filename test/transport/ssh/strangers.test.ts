import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { ManualClock } from '../../support/manual-clock.ts';
import { startSshd, type TestSshd } from '../../support/sshd.ts';
import { until } from '../../support/until.ts';
import { connectTo } from './support.ts';

describe('an SSH connection to what is no SSH server', () => {
  let sshd: TestSshd;
  let server: Server;
  let sockets: Socket[];

  before(async () => {
    sshd = await startSshd();
  });
  beforeEach(() => {
    sockets = [];
  });
  afterEach(async () => {
    await until(() => sockets.every((socket) => socket.closed));
    server.close();
  });
  after(() => sshd.stop());

  /** A server that does this to each connection; returns its port. */
  const serve = async (act: (socket: Socket) => void): Promise<number> => {
    server = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => socket.destroy());
      socket.resume();
      act(socket);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as { port: number }).port;
  };

  for (const [what, act] of [
    [
      'speaks something else',
      (socket: Socket) => void socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'),
    ],
    ['sends noise', (socket: Socket) => void socket.write(Buffer.alloc(100_000, 0xfe))],
    [
      'sends noise after a greeting',
      (socket: Socket) => void socket.write(`SSH-2.0-x\r\n${'y'.repeat(9_000)}`),
    ],
    ['speaks SSH 1', (socket: Socket) => void socket.write('SSH-1.5-old\r\n')],
    ['closes at once', (socket: Socket) => void socket.end()],
    ['closes after its greeting', (socket: Socket) => void socket.end('SSH-2.0-x\r\n')],
    ['resets at once', (socket: Socket) => void socket.resetAndDestroy()],
  ] as const) {
    it(`fails where the server ${what}`, async () => {
      const port = await serve((socket) => {
        act(socket);
        if (!socket.destroyed) setImmediate(() => socket.end());
      });
      await assert.rejects(connectTo(sshd, { port }), { code: 'CONNECT_FAILED' });
    });
  }

  it('gives up on one that says nothing, and leaves no socket behind', async () => {
    const clock = new ManualClock();
    const port = await serve(() => {});
    const attempt = connectTo(sshd, { port, clock });
    await until(() => sockets.length === 1);
    // The limit of the TCP connection first, then that of the handshake.
    await until(() => clock.waiting > 0);
    const failed = assert.rejects(attempt, { code: 'CONNECT_FAILED', message: /within 15 s/ });
    for (let second = 0; second < 5; second += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(1_000);
    }
    await until(() => sockets.length === 2);
    await until(() => clock.waiting > 1);
    clock.advance(15_000);
    await failed;
  });

  it('tries another connection where the first one goes nowhere', async () => {
    const clock = new ManualClock();
    const port = await serve((socket) => {
      if (sockets.length === 1) return;
      const far = connect(sshd.port, sshd.host);
      socket.pipe(far).pipe(socket);
      far.on('error', () => socket.destroy());
      socket.on('close', () => far.destroy());
    });
    const attempt = connectTo(sshd, { port, clock });
    await until(() => sockets.length === 1);
    for (let second = 0; second < 5; second += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(1_000);
    }
    const carrier = await attempt;
    assert.equal(sockets.length, 2);
    carrier.close();
  });

  it('gives up when told to, and leaves no socket behind', async () => {
    const abort = new AbortController();
    const port = await serve(() => {});
    const attempt = connectTo(sshd, { port }, abort.signal);
    await until(() => sockets.length === 1);
    abort.abort();
    await assert.rejects(attempt, { code: 'INTERRUPTED' });
  });

  it('says that nothing listens where nothing does', async () => {
    const port = await serve(() => {});
    server.close();
    await assert.rejects(connectTo(sshd, { port }), {
      code: 'CONNECT_FAILED',
      message: /refused the connection/,
    });
  });
});
