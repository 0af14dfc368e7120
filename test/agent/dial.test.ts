import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { dialLoopback } from '../../src/agent/dial.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { ManualClock } from '../support/manual-clock.ts';

describe('a connection to the loopback', () => {
  async function listening(): Promise<{ readonly port: number; close(): void }> {
    const server = createServer((socket) => socket.on('error', () => undefined));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return { port: (server.address() as AddressInfo).port, close: () => server.close() };
  }

  it('is there, and leaves no timer', async () => {
    const clock = new ManualClock();
    const server = await listening();
    const socket = await dialLoopback(server.port, clock);
    assert.equal(clock.waiting, 0);
    socket.destroy();
    server.close();
  });

  it('tells what refused it first', async () => {
    const server = await listening();
    server.close();
    await assert.rejects(dialLoopback(server.port, systemClock), {
      code: 'CONNECT_FAILED',
      message: `port ${server.port} could not be reached: connect ECONNREFUSED 127.0.0.1:${server.port}`,
    });
  });

  it('is waited for no longer than 3 s', async () => {
    const clock = new ManualClock();
    const server = await listening();
    const dialling = dialLoopback(server.port, clock);
    clock.advance(3_000);
    await assert.rejects(dialling, {
      code: 'CONNECT_FAILED',
      message: `port ${server.port} could not be reached: no connection within 3000 ms`,
    });
    server.close();
  });

  it('is given up where nobody waits for it', async () => {
    const clock = new ManualClock();
    const server = await listening();
    const gone = new AbortController();
    const dialling = dialLoopback(server.port, clock, gone.signal);
    gone.abort();
    await assert.rejects(dialling, { code: 'INTERRUPTED' });
    await assert.rejects(dialLoopback(server.port, clock, gone.signal), { code: 'INTERRUPTED' });
    assert.equal(clock.waiting, 0);
    server.close();
  });
});
