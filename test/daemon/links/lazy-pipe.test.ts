import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { LazyPipe } from '../../../src/daemon/links/lazy-pipe.ts';
import { EpmuxError } from '../../../src/protocol/errors.ts';
import type { BytePipe } from '../../../src/runtime/pipe.ts';
import { MemoryPipe } from '../../support/memory-pipe.ts';

function lazy() {
  let open: (pipe: BytePipe) => void = () => undefined;
  let fail: (error: unknown) => void = () => undefined;
  let signal: AbortSignal | undefined;
  const pipe = new LazyPipe('lazy', (given) => {
    signal = given;
    return new Promise((resolve, reject) => {
      open = resolve;
      fail = reject;
    });
  });
  const heard: (string | EpmuxError | undefined)[] = [];
  const handlers = {
    onBytes: (chunk: Uint8Array) => heard.push(Buffer.from(chunk).toString()),
    onWritable: () => heard.push('writable'),
    onEnd: () => heard.push('end'),
    onClosed: (error: EpmuxError | undefined) => heard.push(error),
  };
  return {
    pipe,
    heard,
    handlers,
    signal: () => signal,
    open: async (real: BytePipe) => {
      open(real);
      await turn();
    },
    fail: async (error: unknown) => {
      fail(error);
      await turn();
    },
  };
}

describe('a pipe that is still being opened', () => {
  it('keeps what is written, and its end, for the pipe that comes', async () => {
    const { pipe, open, heard, handlers } = lazy();
    pipe.start(handlers);
    pipe.write(Buffer.from('ab'));
    pipe.write(Buffer.from('cd'));
    pipe.end();
    assert.equal(pipe.bufferedBytes, 4);
    const real = new MemoryPipe();
    await open(real);
    assert.equal(real.text, 'abcd');
    assert.equal(real.ended, true);
    real.handlers?.onBytes(Buffer.from('x'));
    real.handlers?.onClosed(undefined);
    assert.deepEqual(heard, ['x', undefined]);
  });

  it('says false above its bound, and that there is room once all is handed over', async () => {
    const { pipe, open, heard, handlers } = lazy();
    pipe.start(handlers);
    assert.equal(pipe.write(Buffer.alloc(64 * 1024 - 1)), true);
    assert.equal(pipe.write(Buffer.alloc(1)), false);
    await open(new MemoryPipe());
    assert.deepEqual(heard, ['writable']);
  });

  it('leaves it to the real pipe to say when that has no room', async () => {
    const { pipe, open, heard, handlers } = lazy();
    pipe.start(handlers);
    pipe.write(Buffer.alloc(64 * 1024));
    const real = new MemoryPipe();
    real.takes = false;
    await open(real);
    assert.deepEqual(heard, []);
    real.handlers?.onWritable();
    assert.deepEqual(heard, ['writable']);
  });

  it('is paused before a byte comes when its owner asked for it', async () => {
    const { pipe, open } = lazy();
    pipe.pause();
    const real = new MemoryPipe();
    await open(real);
    assert.equal(real.paused, true);
    assert.equal(real.handlers, undefined);
  });

  it('closes with the reason when it can not be opened', async () => {
    const { pipe, fail, heard, handlers } = lazy();
    pipe.start(handlers);
    const why = new EpmuxError('CONNECT_FAILED', 'refused');
    await fail(why);
    assert.deepEqual(heard, [why]);
    assert.equal(pipe.write(Buffer.from('x')), true);
    assert.equal(pipe.bufferedBytes, 0);
  });

  it('tells the reason to an owner who comes late', async () => {
    const { pipe, fail, heard, handlers } = lazy();
    await fail(new TypeError('odd'));
    pipe.start(handlers);
    await turn();
    assert.ok(heard[0] instanceof EpmuxError && heard[0].code === 'CONNECT_FAILED');
  });

  it('gives the opening up when it is closed, and closes what comes of it all the same', async () => {
    const { pipe, open, signal, heard, handlers } = lazy();
    pipe.start(handlers);
    pipe.close();
    pipe.close();
    assert.equal(signal()?.aborted, true);
    const real = new MemoryPipe();
    await open(real);
    assert.ok(real.closed !== undefined);
    assert.deepEqual(heard, [undefined]);
  });
});
