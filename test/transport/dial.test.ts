import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { systemClock } from '../../src/runtime/clock.ts';
import { connectError, directDialer } from '../../src/transport/dial.ts';
import { ManualClock } from '../support/manual-clock.ts';

const to = { host: 'example.com', port: 9001 };
const never = new AbortController().signal;

function failure(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`connect ${code}`), { code });
}

describe('dialling', () => {
  it('gives a connected socket, to a name as well', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    try {
      for (const host of ['127.0.0.1', 'localhost']) {
        const socket = await directDialer(systemClock)({ host, port }, never);
        assert.equal(socket.remotePort, port);
        socket.destroy();
      }
    } finally {
      server.close();
    }
  });

  it('says that nothing listens where nothing does', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    server.close();
    await assert.rejects(directDialer(systemClock)({ host: '127.0.0.1', port }, never), {
      code: 'CONNECT_FAILED',
      message: `127.0.0.1:${port} refused the connection: nothing listens there`,
    });
  });

  it('gives up after its limit', async () => {
    const clock = new ManualClock();
    const attempt = directDialer(clock)({ host: '127.0.0.1', port: 1 }, never);
    clock.advance(10_000);
    await assert.rejects(attempt, { code: 'CONNECT_FAILED', message: /within 10 s/ });
    assert.equal(clock.waiting, 0);
  });

  it('tries again beside an attempt that meets silence, and leaves one connection', async () => {
    const clock = new ManualClock();
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    let accepted = 0;
    let open = 0;
    server.on('connection', (socket) => {
      accepted += 1;
      open += 1;
      socket.on('error', () => {}).resume();
      socket.once('close', () => {
        open -= 1;
      });
    });
    const dialled = directDialer(clock)({ host: '127.0.0.1', port }, never);
    // No turn of the event loop has passed: none of them is connected yet.
    clock.advance(3_000);
    const socket = await dialled;
    assert.equal(clock.waiting, 0);
    while (accepted === 0 || open !== 1) await new Promise((turn) => setImmediate(turn));
    assert.equal(socket.destroyed, false);
    socket.destroy();
    server.close();
    await once(server, 'close');
  });

  it('begins nothing when it is told to stop before', async () => {
    const clock = new ManualClock();
    await assert.rejects(directDialer(clock)(to, AbortSignal.abort()), { code: 'INTERRUPTED' });
    assert.equal(clock.waiting, 0);
  });

  it('tells the ways to fail apart', () => {
    const message = (code: string): string => connectError(failure(code), to).message;
    const all = ['ECONNREFUSED', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ECONNRESET', 'EPERM'];
    assert.equal(new Set(all.map(message)).size, all.length);
    for (const code of [...all, 'ESTRANGE']) {
      assert.equal(connectError(failure(code), to).code, 'CONNECT_FAILED');
      assert.match(message(code), /^example\.com:9001 /);
    }
  });

  it('knows a name that does not exist from one that can’t be looked up now', () => {
    assert.equal(connectError(failure('ENOTFOUND'), to).code, 'HOST_UNKNOWN');
    const later = connectError(failure('EAI_AGAIN'), to);
    assert.equal(later.code, 'CONNECT_FAILED');
    assert.match(later.message, /can't be looked up now/);
  });

  it('says the most telling of several addresses’ failures', () => {
    const both = new AggregateError([failure('ENETUNREACH'), failure('ECONNREFUSED')]);
    assert.match(connectError(both, to).message, /refused/);
  });

  it('writes an IPv6 address in brackets', () => {
    const { message } = connectError(failure('ECONNREFUSED'), { host: '::1', port: 22 });
    assert.match(message, /^\[::1\]:22 refused/);
  });
});
