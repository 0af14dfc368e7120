import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { namesAnswer, portAnswer } from '../../src/erlang/epmd.ts';
import { encodeNamesAnswer } from '../../src/erlang/epmd-server.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import type { Address } from '../../src/runtime/address.ts';
import { askEpmdOver, askNames, askNode } from '../../src/runtime/epmd-client.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MemoryPipe } from '../support/memory-pipe.ts';

const NAMES = [{ name: 'app', port: 4_711 }];

describe('a question to an epmd', () => {
  let server: Server;
  let epmd: Address;

  async function serve(answer: (() => Uint8Array) | undefined): Promise<void> {
    server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => {
        if (answer !== undefined) socket.end(answer());
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    epmd = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  }
  afterEach(() => server.close());

  it('is answered', async () => {
    await serve(() => encodeNamesAnswer({ epmdPort: 4_369, names: NAMES }));
    assert.deepEqual(await askNames(epmd), NAMES);
  });

  it('finds none where nothing listens', async () => {
    await serve(undefined);
    server.close();
    await once(server, 'close');
    const none = { code: 'NO_EPMD', message: /^epmd on 127\.0\.0\.1:\d+ does not answer: connect/ };
    await assert.rejects(askNames(epmd), none);
  });

  it('finds none that takes connections and says nothing, once it has had its time', async () => {
    await serve(undefined);
    const clock = new ManualClock();
    const asked = [askNames(epmd, { clock }), askNode(epmd, 'app', { clock })];
    const outcomes = Promise.all(
      asked.map((question) =>
        assert.rejects(question, { code: 'NO_EPMD', message: /no answer within 3000 ms/ }),
      ),
    );
    clock.advance(3_000);
    await outcomes;
    assert.equal(clock.waiting, 0);
  });

  it('ends when nobody waits any more', async () => {
    await serve(undefined);
    const clock = new ManualClock();
    const gone = new AbortController();
    const asked = askNode(epmd, 'app', { clock, signal: gone.signal });
    gone.abort();
    await assert.rejects(asked, { code: 'INTERRUPTED', message: 'asking epmd was given up' });
    assert.equal(clock.waiting, 0);
  });

  it('is refused by what is none', async () => {
    await serve(() => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await assert.rejects(askNode(epmd, 'app'), { code: 'EPMD_PROTOCOL' });
  });
});

describe('a question to an epmd at the other end of a pipe', () => {
  let clock: ManualClock;
  let pipe: MemoryPipe;
  beforeEach(() => {
    clock = new ManualClock();
    pipe = new MemoryPipe();
  });
  const names = (signal?: AbortSignal) =>
    askEpmdOver(pipe, { kind: 'names' }, namesAnswer(), { clock, limitMs: 5_000, signal });
  const isDone = () => assert.deepEqual([pipe.closed, clock.waiting], [{ error: undefined }, 0]);

  it('is answered once the other end has closed', async () => {
    const asked = names();
    assert.deepEqual(Buffer.concat(pipe.written), Buffer.from('\0\x01n'));
    pipe.handlers?.onBytes(encodeNamesAnswer({ epmdPort: 4_369, names: NAMES }));
    pipe.handlers?.onEnd();
    assert.deepEqual((await asked).names, NAMES);
    isDone();
  });

  it('fails with what broke the pipe, whatever follows', async () => {
    const lost = new EpmuxError('PIPE_LOST', 'cut');
    const asked = names();
    pipe.handlers?.onClosed(lost);
    clock.advance(5_000);
    await assert.rejects(asked, lost);
    isDone();
  });

  it('fails when an answer is cut short', async () => {
    const asked = askEpmdOver(pipe, { kind: 'port', name: 'app' }, portAnswer(), {
      clock,
      limitMs: 5_000,
    });
    pipe.handlers?.onBytes(Uint8Array.of(119));
    pipe.handlers?.onClosed(undefined);
    await assert.rejects(asked, { code: 'EPMD_PROTOCOL' });
    isDone();
  });

  it('has a limit', async () => {
    const asked = names();
    clock.advance(5_000);
    await assert.rejects(asked, {
      code: 'TIMEOUT',
      message: 'epmd there did not answer within 5 s',
    });
    isDone();
  });

  it('closes the pipe also where nobody waits from the start', async () => {
    const reason = new EpmuxError('TUNNEL_DOWN', 'taken down');
    await assert.rejects(names(AbortSignal.abort(reason)), reason);
    isDone();
  });
});
