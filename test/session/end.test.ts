import assert from 'node:assert/strict';
import { WireCode } from '../../src/protocol/constants.ts';
import { LoneSession } from '../support/lone-session.ts';
import { Pair } from '../support/session-pair.ts';

describe('the end of a session', () => {
  it('is told to the other end by GOODBYE', () => {
    const pair = new Pair();
    pair.connect();
    pair.run(100);
    pair.agent.session.goodbye({ code: WireCode.SHUTDOWN, text: 'dyno restarts' });
    pair.agent.pump();
    pair.run(100);
    const [here] = pair.agent.events('ended');
    const [there] = pair.daemon.events('ended');
    assert.equal(here?.error, undefined);
    assert.deepEqual(there?.reason, { code: WireCode.SHUTDOWN, text: 'dyno restarts' });
    assert.equal(there?.error?.code, 'SESSION_LOST');
  });

  it('is no error when the other end says NONE', () => {
    const lone = LoneSession.attached('agent');
    lone.receive({ type: 'GOODBYE', code: 0, text: '' });
    assert.deepEqual(lone.events(), [
      { type: 'ended', reason: { code: 0, text: '' }, error: undefined },
    ]);
    assert.deepEqual(lone.sent(), []);
  });

  for (const code of [WireCode.SESSION_UNKNOWN, WireCode.POSITION]) {
    it(`comes with REFUSE ${code} in answer to a resume`, () => {
      const lone = LoneSession.attached('daemon');
      lone.session.pipeClosed(lone.now);
      lone.session.beginAttach(lone.now);
      lone.receive({ type: 'REFUSE', code, text: '' });
      const [ended, ...more] = lone.events();
      assert.deepEqual(more, []);
      assert.equal(ended?.type === 'ended' && ended.error?.code, 'SESSION_LOST');
      assert.equal(ended?.type === 'ended' && ended.reason.code, code);
    });
  }

  it('does not come with a REFUSE that a later pipe may not meet', () => {
    const lone = LoneSession.attached('daemon');
    lone.session.pipeClosed(lone.now);
    lone.session.beginAttach(lone.now);
    lone.receive({ type: 'REFUSE', code: WireCode.BUSY, text: '' });
    const [failed, ...more] = lone.events();
    assert.deepEqual(more, []);
    assert.equal(failed?.type === 'pipe-failed' && failed.error.code, 'BUSY');
    assert.equal(lone.session.stats(lone.now).state, 'detached');
  });

  it('comes when the daemon tells a position beyond what was sent', () => {
    const lone = LoneSession.attached('agent');
    lone.session.pipeClosed(lone.now);
    lone.attach(1);
    const [ended] = lone.events();
    assert.equal(ended?.type === 'ended' && ended.reason.code, WireCode.POSITION);
    assert.equal(lone.session.acceptAttach(0, { ...NOBODY }, lone.now), 'ended');
  });

  it('does not come when the daemon’s ATTACH is older than what it has acknowledged since', () => {
    const lone = LoneSession.attached('agent');
    lone.session.setDirectory({ epoch: 1, epmdDown: false, truncated: false, nodes: [] });
    lone.sent();
    lone.receive({ type: 'ACK', received: 10 });
    const before = lone.session.stats(lone.now);
    assert.equal(lone.session.acceptAttach(9, { ...NOBODY }, lone.now), 'overtaken');
    assert.deepEqual(lone.session.stats(lone.now), before);
    assert.deepEqual(lone.events(), []);
    lone.receive({ type: 'PING', token: 7n });
    assert.deepEqual(lone.sentTypes(), ['PONG'], 'on the pipe that it has');
    lone.session.pipeClosed(lone.now);
    assert.equal(lone.session.acceptAttach(9, { ...NOBODY }, lone.now), 'overtaken');
    assert.equal(lone.session.acceptAttach(10, { ...NOBODY }, lone.now), 'taken');
  });

  it('comes when the agent tells a position that is not kept any more', () => {
    const lone = LoneSession.attached('daemon');
    lone.session.open('node/a', 'bulk', lone.now);
    lone.sent();
    lone.receive({ type: 'ACK', received: 10 });
    lone.session.pipeClosed(lone.now);
    lone.attach(9, 'resumed');
    const ended = lone.events().at(-1);
    assert.equal(ended?.type === 'ended' && ended.reason.code, WireCode.POSITION);
    assert.deepEqual(lone.sentTypes(), ['GOODBYE']);
  });

  it('comes when the stream ids run out, and says so to both', () => {
    const lone = LoneSession.attached('daemon', {}, 0xffff_fffd);
    assert.equal(lone.session.open('node/a', 'bulk', lone.now), 0xffff_fffd);
    assert.equal(lone.session.open('node/a', 'bulk', lone.now), 0xffff_ffff);
    assert.throws(() => lone.session.open('node/a', 'bulk', lone.now), { code: 'SESSION_LOST' });
    const [goodbye] = lone.sent();
    assert.equal(goodbye?.type === 'GOODBYE' && goodbye.code, WireCode.EXHAUSTED);
    const ended = lone.events().at(-1);
    assert.equal(ended?.type === 'ended' && ended.reason.code, WireCode.EXHAUSTED);
  });

  it('is told to nobody while there is no pipe', () => {
    const lone = LoneSession.attached('daemon');
    lone.session.pipeClosed(lone.now);
    lone.session.goodbye({ code: WireCode.SHUTDOWN, text: '' });
    assert.deepEqual(lone.sent(), []);
    assert.equal(lone.events().at(-1)?.type, 'ended');
  });

  it('is final: later calls do nothing and nothing is kept', () => {
    const lone = LoneSession.attached('daemon');
    const { session } = lone;
    const id = session.open('node/a', 'bulk', lone.now);
    session.write(id, new Uint8Array(100_000));
    lone.sent();
    session.goodbye({ code: 0, text: '' });
    session.goodbye({ code: 9, text: 'again' });
    assert.deepEqual(lone.sentTypes(), ['GOODBYE']);
    session.accept(id);
    session.finish(id);
    session.reset(id, { code: 14, text: '' });
    session.consumed(id, 1, lone.now);
    session.probe(lone.now);
    session.pipeClosed(lone.now);
    session.setDirectory({ epoch: 1, epmdDown: false, truncated: false, nodes: [] });
    assert.equal(session.write(id, Uint8Array.of(1)), false);
    assert.throws(() => session.open('node/a', 'bulk', lone.now), { code: 'SESSION_LOST' });
    assert.throws(() => session.beginAttach(lone.now), { code: 'SESSION_LOST' });
    lone.receive({ type: 'PING', token: 1n });
    assert.deepEqual(lone.sent(), []);
    assert.deepEqual(
      lone.events().map((event) => event.type),
      ['ended'],
    );
    assert.equal(session.nextDeadline(), Number.POSITIVE_INFINITY);
    const stats = session.stats(lone.now);
    assert.deepEqual([stats.state, stats.streams, stats.unackedBytes], ['ended', 0, 0]);
  });
});

const NOBODY = { minor: 0, software: '', bootId: '', hostName: '' };
