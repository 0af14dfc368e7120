import assert from 'node:assert/strict';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { HandoverPipe } from '../../src/runtime/handover-pipe.ts';
import { MemoryPipe } from '../support/memory-pipe.ts';
import { own } from '../support/recording-pipe.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);

describe('a pipe that changes its owner', () => {
  it('keeps what comes while nobody owns it, and the order while it is handed out', async () => {
    const below = new MemoryPipe();
    const pipe = new HandoverPipe(below);
    const first = own(pipe);
    below.handlers?.onBytes(bytes('first '));
    pipe.release();
    assert.equal(below.paused, true);
    below.handlers?.onBytes(bytes('between '));
    const second = own(pipe);
    below.handlers?.onBytes(bytes('at once '));
    await second.called('bytes');
    assert.equal(below.paused, false);
    below.handlers?.onBytes(bytes('then'));
    assert.deepEqual([first.text, second.text], ['first ', 'between at once then']);
  });

  it('keeps the order when bytes come right behind a resume', async () => {
    const below = new MemoryPipe();
    const pipe = new HandoverPipe(below);
    const owner = own(pipe);
    pipe.pause();
    below.handlers?.onBytes(bytes('already read '));
    assert.deepEqual(owner.calls, []);
    pipe.resume();
    below.handlers?.onBytes(bytes('then'));
    await owner.until(() => owner.chunks.length === 2);
    assert.equal(owner.text, 'already read then');
  });

  it('tells a paused owner of an end in order last, and of a loss at once', async () => {
    const below = new MemoryPipe();
    const pipe = new HandoverPipe(below);
    const owner = own(pipe);
    pipe.pause();
    below.handlers?.onBytes(bytes('last words'));
    below.handlers?.onEnd();
    below.handlers?.onClosed(undefined);
    assert.deepEqual(owner.calls, []);
    pipe.resume();
    await owner.called('closed');
    assert.deepEqual(owner.calls, ['bytes', 'end', 'closed']);

    const lost = new MemoryPipe();
    const broken = new HandoverPipe(lost);
    const told = own(broken);
    broken.pause();
    lost.handlers?.onBytes(bytes('never taken'));
    lost.handlers?.onClosed(new EpmuxError('PIPE_LOST', 'reset'));
    assert.deepEqual(told.calls, ['closed']);
  });

  it('has one owner at a time', () => {
    const pipe = new HandoverPipe(new MemoryPipe());
    own(pipe);
    assert.throws(() => own(pipe), { code: 'INTERNAL' });
  });

  it('drops what it kept when it is closed', async () => {
    const below = new MemoryPipe();
    const pipe = new HandoverPipe(below);
    own(pipe);
    pipe.release();
    below.handlers?.onBytes(bytes('kept'));
    pipe.close();
    const owner = own(pipe);
    below.handlers?.onClosed(undefined);
    await owner.called('closed');
    assert.deepEqual(owner.calls, ['closed']);
  });
});
