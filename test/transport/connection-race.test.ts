import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import type { Address } from '../../src/runtime/address.ts';
import { type DialPorts, directDialer } from '../../src/transport/dial.ts';
import { ManualClock } from '../support/manual-clock.ts';

const never = new AbortController().signal;
const to = { host: 'dual.example', port: 22 };

/** A path on which connections come about when the test says so. */
class Path {
  /** With the time at which each was begun. */
  readonly begun: [host: string, at: number][] = [];
  readonly sockets: Socket[] = [];

  readonly #clock: ManualClock;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  ports(...addresses: string[]): DialPorts {
    return {
      lookUp: async () => addresses,
      open: ({ host }: Address) => {
        this.begun.push([host, this.#clock.now()]);
        const socket = new Socket();
        this.sockets.push(socket);
        return socket;
      },
    };
  }

  connects(index: number): void {
    this.sockets[index]?.emit('connect');
  }

  fails(index: number, code: string): void {
    this.sockets[index]?.destroy(Object.assign(new Error(`connect ${code}`), { code }));
  }
}

describe('connecting to a host of several addresses', () => {
  let clock: ManualClock;
  let path: Path;

  beforeEach(() => {
    clock = new ManualClock();
    path = new Path(clock);
  });

  const dial = async (...addresses: string[]): Promise<{ readonly socket: Promise<Socket> }> => {
    const socket = directDialer(clock, path.ports(...addresses))(to, never);
    socket.catch(() => undefined);
    await turn();
    return { socket };
  };

  it('gives no address up for another: one that answers after a second is connected to', async () => {
    const { socket } = await dial('10.0.0.1', '2001:db8::1');
    clock.advance(250);
    path.fails(1, 'ENETUNREACH');
    await turn();
    clock.advance(700);
    path.connects(0);
    assert.equal(await socket, path.sockets[0]);
    assert.equal(path.sockets[0]?.destroyed, false);
    assert.equal(clock.waiting, 0);
  });

  it('begins the next after 250 ms, at once where one fails, and all again after a second', async () => {
    await dial('10.0.0.1', '10.0.0.2', '10.0.0.3');
    clock.advance(100);
    path.fails(0, 'ECONNREFUSED');
    await turn();
    clock.advance(1_249);
    assert.deepEqual(path.begun, [
      ['10.0.0.1', 0],
      ['10.0.0.2', 100],
      ['10.0.0.3', 350],
      ['10.0.0.1', 1_000],
      ['10.0.0.2', 1_250],
    ]);
  });

  it('takes the families by turns, and an address once', async () => {
    await dial('2001:db8::1', '2001:db8::2', '2001:db8::1', '10.0.0.1', '10.0.0.2', '10.0.0.3');
    clock.advance(1_499);
    const hosts = path.begun.map(([host]) => host).slice(0, 5);
    assert.deepEqual(hosts, ['2001:db8::1', '10.0.0.1', '2001:db8::2', '10.0.0.2', '10.0.0.3']);
  });

  it('leaves the one that stands first', async () => {
    const { socket } = await dial('10.0.0.1', '10.0.0.2');
    clock.advance(250);
    path.connects(1);
    path.connects(0);
    assert.equal(await socket, path.sockets[1]);
    assert.deepEqual(
      path.sockets.map(({ destroyed }) => destroyed),
      [true, false],
    );
  });

  it('fails when every address has, and says the most telling', async () => {
    const { socket } = await dial('2001:db8::1', '10.0.0.1');
    path.fails(0, 'ENETUNREACH');
    await turn();
    path.fails(1, 'ECONNREFUSED');
    await assert.rejects(socket, { code: 'CONNECT_FAILED', message: /refused the connection/ });
    assert.equal(clock.waiting, 0);
  });

  it('says at its limit what one address refused while another was silent', async () => {
    const { socket } = await dial('10.0.0.1', '10.0.0.2');
    clock.advance(250);
    path.fails(1, 'ECONNREFUSED');
    await turn();
    clock.advance(10_000);
    await assert.rejects(socket, /refused the connection/);
    assert.ok(path.sockets.every(({ destroyed }) => destroyed));
  });

  it('begins nothing when the name is found too late, and says that it was not', async () => {
    let found: (addresses: string[]) => void = () => undefined;
    const lookUp = () => new Promise<string[]>((resolve) => (found = resolve));
    const socket = directDialer(clock, { ...path.ports(), lookUp })(to, never);
    clock.advance(10_000);
    await assert.rejects(socket, {
      code: 'CONNECT_FAILED',
      message: 'the name dual.example was not looked up within 10 s',
    });
    found(['10.0.0.1']);
    await turn();
    assert.deepEqual([path.begun, clock.waiting], [[], 0]);
  });
});
