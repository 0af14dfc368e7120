import assert from 'node:assert/strict';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { type Dialer, directDialer } from '../../src/transport/dial.ts';
import { dialNow } from '../../src/transport/dial-now.ts';
import { FarEnd } from '../support/far-end.ts';

const never = new AbortController().signal;

describe('a connection that is made before it is asked for', () => {
  let far: FarEnd;
  let dialled: number;
  const dial: Dialer = (to, signal) => {
    dialled += 1;
    return directDialer(systemClock)(to, signal);
  };
  const to = () => ({ host: '127.0.0.1', port: far.port });

  beforeEach(async () => {
    far = await FarEnd.start();
    dialled = 0;
  });
  afterEach(() => far.stop());

  it('is the first one, and the next is another', async () => {
    const ahead = dialNow(dial, to(), never);
    assert.equal(dialled, 1);
    await far.next();
    const first = await ahead.dial(to(), never);
    assert.equal(dialled, 1);
    const second = await ahead.dial(to(), never);
    assert.equal(dialled, 2);
    for (const socket of [first, second]) socket.destroy();
  });

  it('ends when nobody asked for it, and stays with who did', async () => {
    const left = dialNow(dial, to(), never);
    await far.next();
    left.drop();
    await far.deserted();
    const asked = dialNow(dial, to(), never);
    const socket = await asked.dial(to(), never);
    asked.drop();
    assert.equal(socket.destroyed, false);
    socket.destroy();
  });

  it('ends when it is given up before it is asked for', async () => {
    const abort = new AbortController();
    const ahead = dialNow(dial, to(), abort.signal);
    await far.next();
    abort.abort();
    await assert.rejects(ahead.dial(to(), abort.signal), { code: 'INTERRUPTED' });
    await far.deserted();
  });

  it('fails for who asks for it, and for nobody else', async () => {
    const refused: Dialer = () => Promise.reject(new EpmuxError('CONNECT_FAILED', 'no'));
    dialNow(refused, to(), never).drop();
    const ahead = dialNow(refused, to(), never);
    await new Promise((done) => setImmediate(done));
    await assert.rejects(ahead.dial(to(), never), { code: 'CONNECT_FAILED' });
  });
});
