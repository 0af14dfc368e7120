import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import type { ClientChannel } from 'ssh2';
import { type ChannelHost, ChannelPipe } from '../../../src/transport/ssh/channel-pipe.ts';
import { own } from '../../support/recording-pipe.ts';

/** A channel whose window is always open: it takes every write at once, as ssh2's do. */
class OpenChannel extends Duplex {
  closings = 0;

  override _read(): void {}

  override _write(_chunk: Buffer, _encoding: string, done: () => void): void {
    done();
  }

  close(): void {
    this.closings += 1;
  }
}

describe('a pipe over an SSH channel', () => {
  let backlogBytes: number;
  let forgotten: number;
  let channel: OpenChannel;
  let pipe: ChannelPipe;

  beforeEach(() => {
    backlogBytes = 0;
    forgotten = 0;
    channel = new OpenChannel({ emitClose: false });
    const host: ChannelHost = {
      get backlogBytes() {
        return backlogBytes;
      },
      cork() {},
      keep() {},
      took() {},
      forget() {
        forgotten += 1;
      },
    };
    pipe = new ChannelPipe(channel as unknown as ClientChannel, host, 'a channel');
  });

  it('is full when the socket does not take what the channel took', async () => {
    const owner = own(pipe);
    assert.equal(pipe.write(Buffer.alloc(1)), true);
    backlogBytes = 200_000;
    assert.equal(pipe.bufferedBytes, 200_000);
    assert.equal(pipe.write(Buffer.alloc(1)), false);
    await new Promise((resolve) => setImmediate(resolve));
    backlogBytes = 70_000;
    pipe.onRoom();
    assert.deepEqual(owner.calls, []);
    backlogBytes = 60_000;
    pipe.onRoom();
    pipe.onRoom();
    assert.deepEqual(owner.calls, ['writable']);
  });

  it('keeps the end that a lost connection feigns to itself', async () => {
    const owner = own(pipe);
    pipe.end();
    pipe.close();
    channel.push(null);
    channel.emit('close');
    await owner.called('closed');
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(owner.calls, ['closed']);
    assert.deepEqual([channel.closings, forgotten], [1, 1]);
  });

  it('is lost when the channel closes before both directions have ended', async () => {
    const owner = own(pipe);
    channel.push(null);
    await owner.called('end');
    channel.emit('close');
    await owner.called('closed');
    assert.equal(owner.error?.code, 'PIPE_LOST');
  });
});
