import assert from 'node:assert/strict';
import { INITIAL_CREDIT_BYTES } from '../../src/protocol/constants.ts';
import type { Frame } from '../../src/protocol/frames.ts';
import { SESSION_DEFAULTS } from '../../src/session/config.ts';
import { LoneSession } from '../support/lone-session.ts';
import { pattern } from '../support/pattern.ts';
import { Pair } from '../support/session-pair.ts';

const REASON = { code: 11, text: 'no such node' };

function typesOn(frames: readonly Frame[], stream: number): string[] {
  return frames.filter((frame) => 'stream' in frame && frame.stream === stream).map((f) => f.type);
}

describe('a stream', () => {
  it('uses odd ids from the daemon and even ones from the agent', () => {
    const pair = new Pair();
    assert.deepEqual([pair.daemon.open(), pair.daemon.open()], [1, 3]);
    assert.deepEqual([pair.agent.open(), pair.agent.open()], [2, 4]);
  });

  it('may carry the initial credit before it is accepted, and no more', () => {
    const lone = LoneSession.attached('daemon');
    const id = lone.session.open('node/a', 'bulk', lone.now);
    lone.session.write(id, new Uint8Array(INITIAL_CREDIT_BYTES + 1));
    const frames = lone.sent();
    assert.equal(frames[0]?.type, 'OPEN');
    lone.receive({ type: 'ACK', received: 0 });
    assert.equal(dataBytes(frames) + dataBytes(lone.sent()), INITIAL_CREDIT_BYTES);
    lone.receive({ type: 'CREDIT', stream: id, limit: INITIAL_CREDIT_BYTES + 1 });
    lone.receive({ type: 'CREDIT', stream: id, limit: 10 });
    acknowledgeAll(lone, frames);
    assert.equal(dataBytes(lone.sent()), 1);
  });

  it('says nothing of an accepted stream before ACCEPT', () => {
    const lone = LoneSession.attached('agent');
    lone.receive({ type: 'OPEN', stream: 1, streamClass: 'bulk', target: 'node/a' });
    lone.events();
    lone.session.accept(1);
    lone.session.write(1, Uint8Array.of(1));
    lone.session.finish(1);
    assert.deepEqual(typesOn(lone.sent(), 1), ['ACCEPT', 'DATA', 'FIN']);
  });

  it('may be finished before it is accepted, by either end', () => {
    const lone = LoneSession.attached('agent');
    lone.receive({ type: 'OPEN', stream: 1, streamClass: 'bulk', target: 'node/a' });
    lone.session.finish(1);
    assert.deepEqual(typesOn(lone.sent(), 1), []);
    lone.session.accept(1);
    assert.deepEqual(typesOn(lone.sent(), 1), ['ACCEPT', 'FIN']);
  });

  it('gets no credit behind its FIN, and hears nothing behind its RESET', () => {
    const lone = LoneSession.attached('agent');
    for (const stream of [1, 3, 5]) {
      lone.receive({ type: 'OPEN', stream, streamClass: 'bulk', target: 'node/a' });
      lone.session.accept(stream);
      lone.receive({ type: 'DATA', stream, payload: new Uint8Array(INITIAL_CREDIT_BYTES) });
    }
    lone.sent();
    lone.receive({ type: 'FIN', stream: 1 });
    for (const stream of [1, 3, 5]) {
      lone.session.consumed(stream, INITIAL_CREDIT_BYTES, lone.now);
    }
    lone.receive({ type: 'RESET', stream: 3, code: 14, text: '' });
    const credits = lone.sent().filter((frame) => frame.type === 'CREDIT');
    assert.deepEqual(
      credits.map(({ stream }) => stream),
      [5],
    );
  });

  for (const how of ['RESET', 'FIN'] as const) {
    /** It has sent all that it may, and is over in order. */
    const sentAndOver = (lone: LoneSession, stream: number): void => {
      lone.receive({ type: 'OPEN', stream, streamClass: 'bulk', target: 'port/a' });
      lone.session.accept(stream);
      lone.receive({ type: 'DATA', stream, payload: new Uint8Array(INITIAL_CREDIT_BYTES) });
      if (how === 'RESET') lone.receive({ type: 'RESET', stream, code: 0, text: '' });
      else {
        lone.receive({ type: 'FIN', stream });
        lone.session.finish(stream);
        lone.sent();
      }
    };
    const isRejected = (lone: LoneSession, stream: number): boolean => {
      lone.receive({ type: 'OPEN', stream, streamClass: 'bulk', target: 'port/a' });
      return typesOn(lone.sent(), stream).includes('REJECT');
    };

    it(`keeps its place until what came before its ${how} is consumed`, () => {
      const lone = LoneSession.attached('agent', { maxStreams: 2 });
      for (const stream of [1, 3]) sentAndOver(lone, stream);
      const held = (): number => {
        const { heldBytes, unackedBytes } = lone.session.stats(lone.now);
        return heldBytes - unackedBytes;
      };
      assert.equal(held(), 2 * INITIAL_CREDIT_BYTES);
      assert.equal(isRejected(lone, 5), true);
      lone.session.consumed(1, INITIAL_CREDIT_BYTES - 1, lone.now);
      assert.equal(isRejected(lone, 7), true);
      lone.session.consumed(1, 1, lone.now);
      assert.equal(held(), INITIAL_CREDIT_BYTES);
      assert.equal(isRejected(lone, 9), false);
    });

    it(`gives it up when what came before its ${how} is not wanted, and with the session`, () => {
      const lone = LoneSession.attached('agent', { maxStreams: 2 });
      for (const stream of [1, 3]) sentAndOver(lone, stream);
      lone.session.reset(1, REASON);
      assert.deepEqual(typesOn(lone.sent(), 1).includes('RESET'), false);
      assert.equal(isRejected(lone, 5), false);
      lone.session.goodbye(REASON);
      assert.equal(lone.session.stats(lone.now).heldBytes, 0);
    });
  }

  it('leaves its part of the windows to the next one', () => {
    const pair = new Pair({ config: { maxWindowsTotalBytes: 1 << 20 }, latencyMs: 50 });
    pair.connect();
    const seconds = [1, 2, 3].map(() => {
      const id = pair.daemon.open('node/a', 'bulk');
      const began = pair.now;
      pair.daemon.send(id, 2e7, true);
      pair.runUntil(() => pair.agent.streams.get(id)?.finished === true);
      pair.agent.send(id, 0, true);
      pair.run(100);
      return (pair.now - began) / 1_000;
    });
    const [first = 0, , third = 0] = seconds;
    assert.ok(third < first * 1.2, String(seconds));
  });

  it('sends FIN behind its last data, and not before it was accepted', () => {
    const lone = LoneSession.attached('daemon');
    const id = lone.session.open('node/a', 'interactive', lone.now);
    lone.session.write(id, new Uint8Array(10));
    lone.session.finish(id);
    lone.session.finish(id);
    assert.deepEqual(typesOn(lone.sent(), id), ['OPEN', 'DATA']);
    lone.receive({ type: 'ACCEPT', stream: id });
    assert.deepEqual(typesOn(lone.sent(), id), ['FIN']);
    assert.throws(() => lone.session.write(id, Uint8Array.of(1)), { code: 'INTERNAL' });
  });

  it('closes with NONE once both directions are finished, and tells both ends once', () => {
    const pair = new Pair();
    pair.connect();
    const id = pair.daemon.open();
    pair.daemon.send(id, 100, true);
    pair.run(100);
    assert.equal(pair.agent.record(id).finished, true);
    assert.equal(pair.agent.record(id).closed, undefined);
    pair.agent.send(id, 70, true);
    pair.run(100);
    for (const end of [pair.daemon, pair.agent]) {
      assert.deepEqual(end.record(id).closed, { code: 0, text: '' });
      assert.equal(end.session.stats(pair.now).streams, 0);
    }
    assert.equal(pair.daemon.record(id).received, 70);
  });

  it('is rejected with a reason, and what was sent meanwhile is dropped', () => {
    const pair = new Pair({ agent: { accepts: false } });
    pair.connect();
    const id = pair.daemon.open();
    pair.daemon.send(id, 500_000);
    pair.agent.onEvent((event) => {
      if (event.type === 'opened') pair.agent.session.reject(event.stream, REASON);
    });
    pair.run(200);
    assert.deepEqual(pair.daemon.record(id).closed, REASON);
    assert.equal(pair.daemon.session.bufferedBytes(id), 0);
    assert.equal(pair.daemon.isAttached && pair.agent.isAttached, true);
  });

  it('is reset at once: buffers are dropped, and the reason reaches the other end', () => {
    const lone = LoneSession.attached('daemon');
    const id = lone.session.open('node/a', 'bulk', lone.now);
    lone.receive({ type: 'ACCEPT', stream: id });
    lone.session.write(id, new Uint8Array(500_000));
    lone.sent();
    lone.session.reset(id, { code: 16, text: 'stalled' });
    lone.session.reset(id, { code: 14, text: 'again' });
    assert.equal(lone.session.bufferedBytes(id), 0);
    assert.equal(lone.session.write(id, Uint8Array.of(1)), false);
    assert.deepEqual(lone.sent(), [{ type: 'RESET', stream: id, code: 16, text: 'stalled' }]);
    assert.deepEqual(
      lone.events().filter(({ type }) => type === 'closed'),
      [{ type: 'closed', stream: id, reason: { code: 16, text: 'stalled' } }],
    );
  });

  it('pushes back above its send buffer and says when half of that is gone', () => {
    const lone = LoneSession.attached('daemon', { streamBufferBytes: 100_000 });
    const id = lone.session.open('node/a', 'bulk', lone.now);
    assert.equal(lone.session.write(id, new Uint8Array(100_000)), true);
    assert.equal(lone.session.write(id, new Uint8Array(1)), false);
    assert.equal(lone.session.bufferedBytes(id), 100_001);
    const writable = () => lone.events().some(({ type }) => type === 'writable');
    lone.sent(49_000);
    assert.equal(writable(), false);
    lone.sent(20_000);
    assert.ok(lone.session.bufferedBytes(id) <= 50_000);
    assert.equal(writable(), true);
  });

  it('owes the word of room to an owner that writes on meanwhile', () => {
    const pair = new Pair({ bytesPerMs: 100, latencyMs: 5 });
    pair.connect();
    const id = pair.daemon.open('node/a', 'bulk');
    pair.run(500);
    const { session } = pair.daemon;
    assert.equal(session.write(id, pattern(id, 0, 140_000)), false);
    pair.daemon.pump();
    pair.runUntil(() => session.bufferedBytes(id) < 100_000);
    assert.equal(session.write(id, pattern(id, 140_000, 1)), false);
    pair.daemon.pump();
    pair.run(10_000);
    assert.equal(pair.daemon.events('writable').length, 1);
  });

  it('puts many small writes into one frame', () => {
    const lone = LoneSession.attached('daemon');
    const id = lone.session.open('node/a', 'interactive', lone.now);
    const bytes = Uint8Array.from({ length: 300 }, (_, at) => at);
    for (const byte of bytes) lone.session.write(id, Uint8Array.of(byte));
    const [, data, ...more] = lone.sent();
    assert.deepEqual(data, { type: 'DATA', stream: id, payload: bytes });
    assert.deepEqual(more, []);
  });

  it('refuses more streams than allowed, and a target that does not fit', () => {
    const lone = LoneSession.attached('daemon', { maxStreams: 2 });
    const { session } = lone;
    assert.throws(() => session.open('', 'bulk', lone.now), { code: 'INTERNAL' });
    assert.throws(() => session.open('ü'.repeat(257), 'bulk', lone.now), { code: 'INTERNAL' });
    session.open('node/a', 'bulk', lone.now);
    session.open('node/a', 'bulk', lone.now);
    assert.throws(() => session.open('node/a', 'bulk', lone.now), { code: 'BUSY' });
  });

  it('takes no decision of the end that opened it', () => {
    const lone = LoneSession.attached('daemon');
    const id = lone.session.open('node/a', 'bulk', lone.now);
    assert.throws(() => lone.session.accept(id), { code: 'INTERNAL' });
    assert.throws(() => lone.session.reject(id, REASON), { code: 'INTERNAL' });
  });

  it('begins with more than the initial credit, told behind OPEN and before ACCEPT', () => {
    const config = { firstWindowBytes: 300_000 };
    const daemon = LoneSession.attached('daemon', config);
    daemon.session.open('node/a', 'bulk', daemon.now);
    const agent = LoneSession.attached('agent', config);
    agent.receive({ type: 'OPEN', stream: 1, streamClass: 'bulk', target: 'node/a' });
    const credit = { type: 'CREDIT', stream: 1, limit: 300_000 };
    assert.deepEqual(daemon.sent().slice(-1), [credit]);
    assert.deepEqual(agent.sent().slice(-1), [credit]);
  });

  it('gives a slow reader no more than its window, and keeps the session going', () => {
    const pair = new Pair({ agent: { readsBytesPerMs: 0 } });
    pair.connect();
    const stuck = pair.daemon.open('node/a', 'bulk');
    pair.daemon.send(stuck, 2_000_000);
    pair.run(1_000);
    assert.equal(pair.agent.record(stuck).received, SESSION_DEFAULTS.firstWindowBytes);
    const other = pair.daemon.open();
    pair.daemon.send(other, 1_000);
    pair.run(1_000);
    assert.equal(pair.agent.record(other).received, 1_000);
  });

  it('counts payload bytes both ways', () => {
    const pair = new Pair({ reconnectMs: 10 });
    pair.connect();
    const id = pair.daemon.open();
    pair.daemon.send(id, 60_000);
    pair.run(7);
    pair.cut();
    pair.run(1_000);
    assert.equal(pair.daemon.session.stats(pair.now).bytesOut, 60_000);
    assert.equal(pair.agent.session.stats(pair.now).bytesIn, 60_000);
  });
});

describe('the directory', () => {
  it('is replaced by each newer one: only the last that could not be sent goes out', () => {
    const lone = new LoneSession('agent');
    const directory = (epoch: number) => ({ epoch, epmdDown: false, truncated: false, nodes: [] });
    lone.session.setDirectory(directory(1));
    lone.session.setDirectory(directory(2));
    lone.attach();
    const sent = lone.sent().filter(({ type }) => type === 'DIRECTORY');
    assert.deepEqual(sent, [{ type: 'DIRECTORY', directory: directory(2) }]);
  });
});

function dataBytes(frames: readonly Frame[]): number {
  return frames.reduce((sum, frame) => sum + (frame.type === 'DATA' ? frame.payload.length : 0), 0);
}

/** The whole of `frames` was reliable and the first thing sent. */
function acknowledgeAll(lone: LoneSession, frames: readonly Frame[]): void {
  const open = 8 + 1 + 'node/a'.length;
  const data = frames.filter(({ type }) => type === 'DATA').length;
  lone.receive({ type: 'ACK', received: open + 8 * data + dataBytes(frames) });
}
