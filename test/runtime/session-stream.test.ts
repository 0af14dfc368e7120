import assert from 'node:assert/strict';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { own } from '../support/recording-pipe.ts';
import { bytes, setUp, turn } from './driver-support.ts';

describe('a stream of a session', () => {
  it('is a pipe: what its owner does reaches the session', () => {
    const { driver, session } = setUp();
    const stream = driver.open('node/a', 'bulk');
    assert.deepEqual([stream.id, stream.target, stream.streamClass], [1, 'node/a', 'bulk']);
    session.takesWrites = false;
    assert.equal(stream.write(bytes('x')), false);
    assert.equal(stream.bufferedBytes, 100);
    stream.end();
    stream.close(new EpmuxError('NO_EPMD', 'gone'));
    stream.close();
    stream.write(bytes('lost'));
    assert.deepEqual(session.calls, [
      'open node/a bulk',
      'write 1 x',
      'finish 1',
      'reset 1 12 gone',
    ]);
  });

  it('gives credit back when its owner took the bytes, and not before', async () => {
    const { driver, session, happen } = setUp();
    const stream = driver.open('node/a', 'interactive');
    await happen({ type: 'data', stream: 1, chunk: bytes('early ') });
    const consumed = (): string[] => session.calls.filter((call) => call.startsWith('consumed'));
    assert.deepEqual(consumed(), []);
    const owner = own(stream);
    await owner.called('bytes');
    assert.deepEqual(consumed(), ['consumed 1 6']);
    stream.pause();
    await happen(
      { type: 'data', stream: 1, chunk: bytes('then ') },
      { type: 'data', stream: 1, chunk: bytes('more') },
    );
    assert.deepEqual([owner.text, consumed().length], ['early ', 1]);
    stream.resume();
    await owner.until(() => owner.text === 'early then more');
    assert.deepEqual(consumed(), ['consumed 1 6', 'consumed 1 9']);
  });

  it('keeps the order when its owner pauses at each chunk and more comes meanwhile', async () => {
    const { driver, happen } = setUp();
    const stream = driver.open('node/a', 'interactive');
    let text = '';
    stream.start({
      onBytes: (chunk) => {
        text += Buffer.from(chunk).toString();
        stream.pause();
        setImmediate(() => stream.resume());
      },
      onWritable() {},
      onEnd: () => {
        text += '.';
      },
      onClosed() {},
    });
    const letters = 'abcdefgh';
    for (const letter of letters) {
      await happen({ type: 'data', stream: 1, chunk: bytes(letter) });
    }
    await happen({ type: 'finished', stream: 1 });
    for (let at = 0; at < 20; at++) await turn();
    assert.equal(text, 'abcdefgh.');
  });

  it('delivers what is queued when it closes in order, and drops it when it is reset', async () => {
    for (const code of [0, 16]) {
      const { driver, happen } = setUp();
      const stream = driver.open('node/a', 'interactive');
      await happen(
        { type: 'data', stream: 1, chunk: bytes('last words') },
        { type: 'finished', stream: 1 },
        { type: 'closed', stream: 1, reason: { code, text: '' } },
      );
      const owner = own(stream);
      await owner.called('closed');
      if (code === 0) assert.deepEqual(owner.calls, ['bytes', 'end', 'closed']);
      assert.equal(owner.text, code === 0 ? 'last words' : '');
      assert.equal(owner.error?.code, code === 0 ? undefined : 'NODE_STALLED');
    }
  });

  it('that closed in order lets go of what is queued when its owner, who takes no more, closes it', async () => {
    for (const letGo of ['close', 'reset'] as const) {
      const { driver, session, happen } = setUp();
      const stream = driver.open('node/a', 'interactive');
      const owner = own(stream);
      await turn();
      stream.pause();
      await happen(
        { type: 'data', stream: 1, chunk: bytes('not wanted') },
        { type: 'finished', stream: 1 },
        { type: 'closed', stream: 1, reason: { code: 0, text: '' } },
      );
      assert.deepEqual(owner.calls, []);
      assert.ok(!session.calls.some((call) => call.startsWith('reset')));
      if (letGo === 'close') stream.close(new EpmuxError('PIPE_LOST', 'gone'));
      else stream.reset({ code: 14, text: '' });
      await owner.called('closed');
      assert.deepEqual(owner.calls, ['closed']);
      assert.ok(session.calls.some((call) => call.startsWith('reset 1')));
    }
  });

  it('that closed in order and was not taken is dropped when the session ends', async () => {
    const { driver, session, happen } = setUp();
    const stream = driver.open('node/a', 'interactive');
    const owner = own(stream);
    await turn();
    stream.pause();
    await happen(
      { type: 'data', stream: 1, chunk: bytes('not taken') },
      { type: 'finished', stream: 1 },
      { type: 'closed', stream: 1, reason: { code: 0, text: '' } },
    );
    await happen({ type: 'ended', reason: { code: 9, text: '' }, error: undefined });
    await owner.called('closed');
    stream.resume();
    await turn();
    assert.deepEqual([owner.calls, owner.text], [['closed'], '']);
    assert.ok(owner.error !== undefined);
    assert.ok(!session.calls.some((call) => call.startsWith('consumed')));
  });

  it('that closes before it was accepted tells the session that nobody takes what came', async () => {
    const { session, incoming, happen } = setUp();
    await happen({ type: 'opened', stream: 2, target: 'node/a', streamClass: 'bulk' });
    assert.equal(incoming.length, 1);
    await happen(
      { type: 'data', stream: 2, chunk: bytes('early') },
      { type: 'closed', stream: 2, reason: { code: 0, text: '' } },
    );
    assert.deepEqual(session.calls, ['reset 2 0']);
  });

  it('tells no end before its owner took what is queued', async () => {
    const { driver, happen } = setUp();
    const stream = driver.open('node/a', 'interactive');
    const owner = own(stream);
    stream.pause();
    await happen(
      { type: 'data', stream: 1, chunk: bytes('last words') },
      { type: 'finished', stream: 1 },
      { type: 'closed', stream: 1, reason: { code: 0, text: '' } },
    );
    assert.deepEqual(owner.calls, []);
    stream.resume();
    await owner.called('closed');
    assert.deepEqual(owner.calls, ['bytes', 'end', 'closed']);
  });

  it('says when it is accepted, and why it is not', async () => {
    const { driver, happen } = setUp();
    const [good, bad] = [driver.open('node/a', 'bulk'), driver.open('node/b', 'bulk')];
    const owner = own(bad);
    await happen(
      { type: 'accepted', stream: 1 },
      { type: 'closed', stream: 3, reason: { code: 11, text: 'no such node: b' } },
    );
    await good.accepted;
    await assert.rejects(bad.accepted, { code: 'NODE_NOT_FOUND', message: 'no such node: b' });
    await owner.called('closed');
    assert.equal(owner.error?.code, 'NODE_NOT_FOUND');
  });

  it('tells its owner that there is room again', async () => {
    const { driver, happen } = setUp();
    const owner = own(driver.open('node/a', 'bulk'));
    await happen({ type: 'writable', stream: 1 });
    assert.deepEqual(owner.calls, ['writable']);
  });

  it('that the other end opened is accepted or rejected once', async () => {
    const { incoming, session, happen } = setUp();
    const open = { type: 'opened', streamClass: 'interactive', target: 'node/a' } as const;
    await happen({ ...open, stream: 2 }, { ...open, stream: 4 }, { ...open, stream: 6 });
    const [first, second, third] = incoming;
    first?.accept();
    first?.accept();
    first?.reject({ code: 11, text: '' });
    second?.reject({ code: 11, text: '' });
    second?.accept();
    third?.close(new EpmuxError('NO_EPMD', ''));
    assert.deepEqual(session.calls, ['accept 2', 'reject 4 11', 'reject 6 12']);
  });

  it('tells its owner nothing more once the owner closed it, but that', async () => {
    const { driver, happen } = setUp();
    const stream = driver.open('node/a', 'bulk');
    const owner = own(stream);
    stream.close();
    await happen(
      { type: 'data', stream: 1, chunk: bytes('late') },
      { type: 'closed', stream: 1, reason: { code: 16, text: '' } },
    );
    assert.deepEqual(owner.calls, ['closed']);
    assert.equal(owner.error, undefined);
    await assert.rejects(stream.accepted);
  });
});
