import assert from 'node:assert/strict';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { MemoryPipe } from '../support/memory-pipe.ts';
import { own } from '../support/recording-pipe.ts';
import { bytes, PEER, setUp, turn } from './driver-support.ts';

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

  it('keeps no more in the pipe’s buffer than the session says and goes on when there is room', async () => {
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
    session.mostQueued = 1024 * 1024;
    pipe.handlers?.onWritable();
    await turn();
    assert.equal(session.rooms.at(-1), 924 * 1024);
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

  it('refuses a position on the agent’s side, and keeps its pipe where that one came too late', () => {
    const { driver, session, told } = setUp();
    const opened = (pipe: MemoryPipe) => ({
      pipe,
      peer: PEER,
      rest: bytes('rest'),
      attach: { type: 'ATTACH', kind: 'resume', sessionId: '', received: 77 } as const,
    });
    const good = new MemoryPipe();
    assert.equal(driver.acceptAttach(opened(good)), 'taken');
    assert.equal(session.received, 'rest');
    for (const outcome of ['overtaken', 'ended'] as const) {
      session.outcome = outcome;
      const bad = new MemoryPipe();
      assert.equal(driver.acceptAttach(opened(bad)), outcome);
      assert.equal(good.closed === undefined, outcome === 'overtaken');
      assert.equal(bad.written[0]?.[0], 0x02);
      assert.deepEqual([bad.written[0]?.[9], bad.ended], [6, true]);
    }
    assert.equal(session.received, 'rest');
    assert.deepEqual(told, []);
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
