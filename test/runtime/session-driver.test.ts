import assert from 'node:assert/strict';
import { EpmuxError } from '../../src/protocol/errors.ts';
import type { PeerInfo } from '../../src/protocol/hello.ts';
import { SessionDriver } from '../../src/runtime/session-driver.ts';
import type { IncomingStream } from '../../src/runtime/session-stream.ts';
import type { SessionEvent } from '../../src/session/types.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MemoryPipe } from '../support/memory-pipe.ts';
import { own } from '../support/recording-pipe.ts';
import { ScriptedSession } from '../support/scripted-session.ts';

const PEER: PeerInfo = { minor: 0, software: 'epmux/test', bootId: '', hostName: '' };
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => resolve()));
const bytes = (text: string): Uint8Array => Buffer.from(text);

function setUp() {
  const session = new ScriptedSession();
  const clock = new ManualClock();
  const told: string[] = [];
  const incoming: IncomingStream[] = [];
  const driver = new SessionDriver({
    session,
    clock,
    handlers: {
      onAttached: (resumed, peer) => told.push(`attached ${resumed} ${peer.software}`),
      onPipeLost: (error) => told.push(`pipe lost ${error.code}`),
      onEnded: (reason, error) => told.push(`ended ${reason.code} ${error?.code ?? 'in order'}`),
      onDirectory: (directory) => told.push(`directory ${directory.epoch}`),
      onIncoming: (stream) => incoming.push(stream),
      onRtt: (ms) => told.push(`rtt ${ms}`),
    },
  });
  const attach = (rest = ''): MemoryPipe => {
    const pipe = new MemoryPipe();
    driver.beginAttach();
    assert.equal(driver.attach({ pipe, peer: PEER, rest: bytes(rest) }), true);
    return pipe;
  };
  /** An event of the session, as if bytes had brought it. */
  const happen = async (...events: SessionEvent[]): Promise<void> => {
    session.events.push(...events);
    driver.probe();
    session.calls.pop();
    await turn();
  };
  return { session, clock, told, incoming, driver, attach, happen };
}

describe('session driver', () => {
  it('feeds what the handshake left before what comes behind it', async () => {
    const { session, attach } = setUp();
    const pipe = attach('rest,');
    pipe.handlers?.onBytes(bytes('next'));
    await turn();
    assert.equal(session.received, 'rest,next');
    assert.deepEqual(session.calls, ['beginAttach', 'peerKnown epmux/test']);
  });

  it('writes many small frames of one turn as one piece, and large ones as they are', async () => {
    const { session, attach, driver } = setUp();
    const pipe = attach();
    const large = new Uint8Array(20_000);
    session.outgoing = [bytes('a'), bytes('b'), large, bytes('c'), bytes('d')];
    for (let at = 0; at < 10; at++) driver.probe();
    assert.equal(pipe.written.length, 0);
    await turn();
    assert.deepEqual(
      pipe.written.map(({ length }) => length),
      [2, 20_000, 2],
    );
    assert.equal(pipe.written[1], large);
  });

  it('keeps little in the pipe’s buffer and goes on when there is room', async () => {
    const { session, attach, driver } = setUp();
    const pipe = attach();
    session.outgoing = Array.from({ length: 100 }, () => new Uint8Array(32_768));
    pipe.takes = false;
    driver.probe();
    await turn();
    await turn();
    assert.equal(pipe.written.length, 4);
    assert.equal(session.rooms[0], 128 * 1024);
    driver.probe();
    await turn();
    assert.equal(pipe.written.length, 4);
    pipe.bufferedBytes = 100 * 1024;
    pipe.handlers?.onWritable();
    await turn();
    assert.equal(pipe.written.length, 5);
    assert.equal(session.rooms.at(-1), 28 * 1024);
  });

  it('answers bytes that bring no event', async () => {
    const { session, attach } = setUp();
    const pipe = attach();
    await turn();
    session.outgoing = [bytes('pong')];
    pipe.handlers?.onBytes(bytes('ping'));
    await turn();
    assert.equal(pipe.text, 'pong');
  });

  it('keeps the session’s deadline by one timer', async () => {
    const { session, clock, attach, driver } = setUp();
    attach();
    session.deadline = 3_000;
    driver.probe();
    await turn();
    assert.equal(clock.waiting, 1);
    session.calls.length = 0;
    clock.advance(2_999);
    assert.deepEqual(session.calls, []);
    clock.advance(1);
    assert.deepEqual(session.calls, ['onDeadline 3000']);
    assert.equal(clock.waiting, 0);
  });

  it('probes when the machine slept', async () => {
    const { session, clock, attach, driver } = setUp();
    attach();
    session.deadline = 3_000;
    driver.probe();
    await turn();
    session.calls.length = 0;
    clock.sleep(60_000);
    clock.advance(3_000);
    assert.deepEqual(session.calls, ['probe', 'onDeadline 3000']);
  });

  it('passes on what the session tells', async () => {
    const { told, happen, driver } = setUp();
    await happen(
      { type: 'attached', resumed: true, peer: PEER },
      { type: 'rtt', ms: 12 },
      { type: 'directory', directory: { epoch: 4, epmdDown: false, truncated: false, nodes: [] } },
    );
    assert.deepEqual(told, ['attached true epmux/test', 'rtt 12', 'directory 4']);
    assert.equal(driver.stats().rttMs, 7);
  });

  it('tells once that the pipe is lost, whatever else the pipe says', () => {
    for (const lose of [
      (pipe: MemoryPipe) => pipe.handlers?.onEnd(),
      (pipe: MemoryPipe) => pipe.handlers?.onClosed(undefined),
      (pipe: MemoryPipe) => pipe.handlers?.onClosed(new EpmuxError('PIPE_LOST', 'reset')),
    ]) {
      const { session, told, attach } = setUp();
      const pipe = attach();
      lose(pipe);
      pipe.handlers?.onClosed(undefined);
      pipe.handlers?.onBytes(bytes('late'));
      assert.deepEqual(told, ['pipe lost PIPE_LOST']);
      assert.equal(session.calls.filter((call) => call === 'pipeClosed').length, 1);
      assert.equal(session.received, '');
      assert.ok(pipe.closed !== undefined);
    }
  });

  it('closes the pipe that the session gives up', async () => {
    const { session, told, attach, happen } = setUp();
    const pipe = attach();
    await happen({ type: 'pipe-failed', error: new EpmuxError('PIPE_LOST', 'dead') });
    assert.equal(pipe.closed?.error?.code, 'PIPE_LOST');
    assert.deepEqual(told, ['pipe lost PIPE_LOST']);
    assert.ok(session.calls.includes('pipeClosed'));
  });

  it('lets a new pipe take the place of the old one, without a word of loss', () => {
    const { session, told, attach, driver } = setUp();
    const first = attach();
    const second = attach();
    assert.ok(first.closed !== undefined);
    first.handlers?.onClosed(undefined);
    first.handlers?.onBytes(bytes('old'));
    second.handlers?.onBytes(bytes('new'));
    assert.equal(session.received, 'new');
    assert.deepEqual(told, []);
    assert.deepEqual(session.calls.slice(2), ['pipeClosed', 'beginAttach', 'peerKnown epmux/test']);
    driver.detach();
    assert.ok(second.closed !== undefined);
  });

  it('gives an attempt up for the session’s sake, and the pipe with it', async () => {
    const { driver, session, told, happen } = setUp();
    driver.beginAttach();
    await happen({ type: 'pipe-failed', error: new EpmuxError('TIMEOUT', 'no answer') });
    const pipe = new MemoryPipe();
    assert.equal(driver.attach({ pipe, peer: PEER, rest: bytes('') }), false);
    assert.ok(pipe.closed !== undefined);
    assert.deepEqual(told, []);
    driver.beginAttach();
    driver.attachFailed();
    driver.attachFailed();
    assert.deepEqual(session.calls, ['beginAttach', 'pipeClosed', 'beginAttach', 'pipeClosed']);
  });

  it('refuses a position on the agent’s side', () => {
    const { driver, session } = setUp();
    const opened = (pipe: MemoryPipe) => ({
      pipe,
      peer: PEER,
      rest: bytes('rest'),
      attach: { type: 'ATTACH', kind: 'resume', sessionId: '', received: 77 } as const,
    });
    const good = new MemoryPipe();
    assert.equal(driver.acceptAttach(opened(good)), true);
    assert.equal(session.received, 'rest');
    session.takesAttach = false;
    const bad = new MemoryPipe();
    assert.equal(driver.acceptAttach(opened(bad)), false);
    assert.ok(good.closed !== undefined);
    assert.equal(bad.written[0]?.[0], 0x02);
    assert.deepEqual([bad.written[0]?.[9], bad.ended], [6, true]);
  });

  it('says goodbye, lets it leave, and is then over for good', async () => {
    const { driver, session, clock, told, attach } = setUp();
    const pipe = attach();
    const stream = own(driver.open('node/a', 'interactive'));
    session.deadline = 3_000;
    await turn();
    assert.equal(clock.waiting, 1);
    session.outgoing = [bytes('goodbye')];
    driver.goodbye({ code: 9, text: '' });
    await turn();
    driver.goodbye({ code: 9, text: '' });
    await turn();
    assert.equal(pipe.text, 'goodbye');
    assert.deepEqual([pipe.ended, pipe.closed], [true, undefined]);
    assert.equal(stream.error?.code, 'SESSION_LOST');
    assert.deepEqual(told, ['ended 9 in order']);
    assert.equal(session.calls.filter((call) => call.startsWith('goodbye')).length, 1);
    assert.throws(() => driver.open('node/a', 'bulk'), { code: 'SESSION_LOST' });
    assert.equal(clock.waiting, 1);
    clock.advance(1_000);
    assert.ok(pipe.closed !== undefined);
    assert.equal(clock.waiting, 0);
    pipe.handlers?.onClosed(undefined);
    assert.equal(told.length, 1);
  });

  it('waits no longer for its last words than the pipe lives', async () => {
    const { driver, clock, told, attach } = setUp();
    const pipe = attach();
    driver.goodbye({ code: 9, text: '' });
    await turn();
    assert.equal(clock.waiting, 1);
    pipe.handlers?.onClosed(undefined);
    assert.equal(clock.waiting, 0);
    assert.deepEqual(told, ['ended 9 in order']);
  });
});

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
    await owner.until(() => owner.chunks.length === 3);
    assert.equal(owner.text, 'early then more');
    assert.deepEqual(consumed(), ['consumed 1 6', 'consumed 1 5', 'consumed 1 4']);
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
      assert.equal(owner.error?.code, code === 0 ? undefined : 'NODE_UNREACHABLE');
    }
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
