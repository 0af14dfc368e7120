import assert from 'node:assert/strict';
import { SESSION_DEFAULTS } from '../../src/session/config.ts';
import { LoneSession } from '../support/lone-session.ts';
import { Pair } from '../support/session-pair.ts';

const HOUR = 3_600_000;

describe('the heartbeat of a session', () => {
  it('keeps an idle pipe for hours and measures its round trip', () => {
    const pair = new Pair({ latencyMs: 40 });
    pair.connect();
    pair.run(6 * HOUR);
    assert.deepEqual(pair.daemon.events('pipe-failed'), []);
    assert.equal(pair.pipes, 1);
    assert.equal(pair.daemon.session.stats(pair.now).rttMs, 80);
  });

  it('asks after 3 s of silence and calls the pipe dead after 9', () => {
    const lone = LoneSession.attached('daemon');
    const began = lone.now;
    const pings: number[] = [];
    for (let at = 0; at < 9_000; at += 100) {
      for (const frame of lone.pass(100)) if (frame.type === 'PING') pings.push(lone.now - began);
    }
    assert.deepEqual(pings, [3_000, 6_000]);
    const [failed] = lone.events();
    assert.equal(failed?.type === 'pipe-failed' && failed.error.code, 'PIPE_LOST');
    assert.equal(lone.session.stats(lone.now).state, 'detached');
  });

  it('calls the pipe dead after 9 s as well where it takes nothing more', () => {
    const lone = LoneSession.attached('daemon');
    const id = lone.session.open('node/a', 'bulk', lone.now);
    lone.session.write(id, new Uint8Array(50_000));
    lone.sent();
    lone.receive({ type: 'PING', token: 1n });
    const heardAt = lone.now;
    // Woken for nothing but its own deadlines, as its owner does where there is nothing else to do.
    for (let wakes = 0; lone.session.stats(lone.now).state === 'attached'; wakes += 1) {
      assert.ok(wakes < 20, 'it waits for ever');
      lone.now = lone.session.nextDeadline();
      lone.session.onDeadline(lone.now);
      assert.deepEqual(lone.sent(0), []);
    }
    assert.equal(lone.now - heardAt, 9_000);
  });

  it('finds a blackhole within 10 s at both ends, also beside bulk', () => {
    for (const bytes of [0, 100_000_000]) {
      const pair = new Pair({ bytesPerMs: 12_500, latencyMs: 25 });
      pair.connect();
      const id = pair.daemon.open('node/a', 'bulk');
      if (bytes > 0) pair.daemon.send(id, bytes);
      pair.run(2_000);
      pair.blackhole();
      pair.run(10_000);
      // Who finds it first closes the pipe for the other.
      const found = [pair.daemon, pair.agent].map((end) => end.events('pipe-failed').length);
      assert.ok(Math.max(...found) === 1);
      assert.deepEqual([pair.daemon.isAttached, pair.agent.isAttached], [false, false]);
    }
  });

  it('asks every 3 s while an acknowledgement is awaited, though bytes arrive', () => {
    const lone = LoneSession.attached('daemon');
    lone.session.open('node/a', 'bulk', lone.now);
    lone.sent();
    let pings = 0;
    for (let at = 0; at < 8_900; at += 100) {
      lone.receive({ type: 'PING', token: BigInt(at) });
      pings += lone.pass(100).filter((frame) => frame.type === 'PING').length;
    }
    assert.equal(pings, 2);
  });

  it('answers a PING at once, ahead of all else, and with the same token', () => {
    const lone = LoneSession.attached('agent');
    lone.receive({ type: 'OPEN', stream: 1, streamClass: 'bulk', target: 'node/a' });
    lone.session.accept(1);
    lone.session.write(1, new Uint8Array(30_000));
    lone.receive({ type: 'PING', token: 77n });
    const [first] = lone.sent();
    assert.deepEqual(first, { type: 'PONG', token: 77n });
  });

  it('remembers a bounded number of PINGs while nothing can be sent', () => {
    const lone = LoneSession.attached('agent');
    for (let token = 0n; token < 1_000n; token++) lone.receive({ type: 'PING', token });
    assert.deepEqual(lone.sentTypes(0), []);
    const pongs = lone.sent().filter((frame) => frame.type === 'PONG');
    assert.ok(pongs.length <= 16);
    assert.equal(pongs.at(-1)?.token, 999n);
  });
});

describe('a jump of the clock', () => {
  it('of 8 h costs nothing when the pipe is still alive', () => {
    const pair = new Pair();
    pair.connect();
    const id = pair.daemon.open();
    pair.run(1_000);
    pair.sleep(8 * HOUR);
    pair.daemon.send(id, 1_000);
    pair.run(30_000);
    assert.deepEqual(pair.daemon.events('pipe-failed'), []);
    assert.equal(pair.agent.record(id).received, 1_000);
  });

  it('of 8 h finds a dead pipe within 2 s', () => {
    const pair = new Pair();
    pair.connect();
    pair.run(1_000);
    pair.blackhole();
    pair.sleep(8 * HOUR);
    const woke = pair.now;
    pair.runUntil(() => pair.daemon.events('pipe-failed').length > 0, 10_000);
    assert.ok(pair.now - woke <= SESSION_DEFAULTS.probeTimeoutMs + 10);
  });

  it('asks at once, and takes no byte but the answer for one', () => {
    const lone = LoneSession.attached('daemon');
    lone.now += 6_000;
    lone.receive({ type: 'PING', token: 5n });
    const ping = lone.sent().find((frame) => frame.type === 'PING');
    assert.ok(ping !== undefined);
    lone.pass(1_000);
    lone.receive({ type: 'PING', token: 6n });
    assert.equal(lone.session.stats(lone.now).state, 'attached');
    lone.pass(1_000);
    assert.equal(lone.session.stats(lone.now).state, 'detached');
  });

  it('is not answered by a PONG to what was asked before it', () => {
    const lone = LoneSession.attached('daemon');
    const [before] = lone.pass(3_000);
    assert.ok(before?.type === 'PING');
    lone.now += 6_000;
    lone.receive({ type: 'PONG', token: before.token });
    lone.sent();
    lone.pass(2_000);
    assert.equal(lone.session.stats(lone.now).state, 'detached');
  });

  it('that the owner noticed is probed by request', () => {
    const lone = LoneSession.attached('daemon');
    lone.session.probe(lone.now);
    const ping = lone.sent().find((frame) => frame.type === 'PING');
    assert.ok(ping?.type === 'PING');
    lone.pass(1_999);
    lone.receive({ type: 'PONG', token: ping.token });
    lone.pass(2_000);
    assert.equal(lone.session.stats(lone.now).state, 'attached');
  });
});

describe('the time limits of a session', () => {
  it('give an attach 10 s', () => {
    const lone = new LoneSession('daemon');
    lone.session.beginAttach(lone.now);
    lone.pass(9_999);
    assert.deepEqual(lone.events(), []);
    lone.pass(1);
    const [failed] = lone.events();
    assert.equal(failed?.type === 'pipe-failed' && failed.error.code, 'TIMEOUT');
  });

  it('give a session without a pipe its grace, and not a millisecond more', () => {
    const lone = LoneSession.attached('agent');
    lone.session.pipeClosed(lone.now);
    lone.pass(SESSION_DEFAULTS.graceMs - 1);
    assert.deepEqual(lone.events(), []);
    lone.pass(1);
    const [ended] = lone.events();
    assert.equal(ended?.type === 'ended' && ended.error?.code, 'SESSION_LOST');
  });

  it('count the grace from the last loss of an attached pipe, whatever attempts failed since', () => {
    const lone = LoneSession.attached('daemon', { graceMs: 60_000 });
    lone.session.pipeClosed(lone.now);
    lone.pass(55_000);
    lone.session.beginAttach(lone.now);
    lone.pass(9_999);
    lone.session.onDeadline(lone.now);
    assert.deepEqual(lone.events(), [], 'an attach under way may finish');
    lone.pass(1);
    assert.deepEqual(
      lone.events().map((event) => event.type),
      ['pipe-failed', 'ended'],
    );
  });

  it('let a session that never had a pipe wait', () => {
    const lone = new LoneSession('daemon');
    assert.equal(lone.session.nextDeadline(), Number.POSITIVE_INFINITY);
    lone.session.beginAttach(lone.now);
    lone.session.pipeClosed(lone.now);
    assert.equal(lone.session.nextDeadline(), Number.POSITIVE_INFINITY);
  });

  it('start anew with each pipe', () => {
    const pair = new Pair({ config: { graceMs: 1_000 }, reconnectMs: 900 });
    pair.connect();
    for (let cut = 0; cut < 10; cut++) {
      pair.run(500);
      pair.cut();
      pair.run(950);
    }
    assert.equal(pair.daemon.isOver, false);
    const stats = pair.daemon.session.stats(pair.now);
    assert.equal(stats.resumes, 10);
    // Each outage is the wait for the next pipe and the round trip of its attach.
    assert.equal(Math.round(stats.outageMs), 10 * 910);
  });

  it('acknowledge 25 ms after the first byte, or at once from 32 KiB on', () => {
    const lone = LoneSession.attached('agent');
    lone.receive({ type: 'OPEN', stream: 1, streamClass: 'bulk', target: 'node/a' });
    const began = lone.now;
    assert.equal(lone.session.nextDeadline(), began + 25);
    assert.deepEqual(lone.sent(), []);
    const [ack] = lone.pass(25);
    assert.deepEqual(ack, { type: 'ACK', received: 8 + 1 + 6 });
    lone.receive({ type: 'DATA', stream: 1, payload: new Uint8Array(32_768) });
    assert.deepEqual(lone.sent(), [{ type: 'ACK', received: 15 + 8 + 32_768 }]);
  });
});
