import assert from 'node:assert/strict';
import { encodeStatus, Flag, framed } from '../../src/erlang/handshake.ts';
import type { DistributionRelay } from '../../src/erlang/relay.ts';
import type { DistributionRelayOptions } from '../../src/erlang/relay-options.ts';
import { WireCode } from '../../src/protocol/constants.ts';
import { chunked } from '../support/chunks.ts';
import { handshake, message, type Said, TICK } from '../support/handshakes.ts';
import { HELD, newRelay, type Side, sentBy, through } from './relay-support.ts';

describe('a relay in time', () => {
  function connected(options: Partial<DistributionRelayOptions> = {}): DistributionRelay {
    const relay = newRelay('connector', { tickMs: 100, nodeSilenceMs: 1_000, ...options });
    through(relay, 'connector', handshake());
    return relay;
  }
  const NOTHING = { toNode: [], toTunnel: [] };

  it('feeds a tick whenever nothing was written for a while', () => {
    const relay = connected();
    assert.equal(relay.nextDeadline(), 100);
    assert.deepEqual(relay.onDeadline(99), NOTHING);
    assert.deepEqual(relay.onDeadline(100).toNode, [TICK]);
    assert.equal(relay.nextDeadline(), 200);
    relay.fromTunnel(message(3), 150);
    assert.equal(relay.nextDeadline(), 250);
  });

  it('feeds none before the handshake is over', () => {
    const relay = newRelay('connector', { tickMs: 100, nodeSilenceMs: 1_000 });
    through(relay, 'connector', handshake().slice(0, -1));
    assert.equal(relay.nextDeadline(), 1_000);
  });

  it('feeds one beside a message that it still holds, and none within one that streams through', () => {
    const relay = connected();
    assert.deepEqual(relay.fromTunnel(message(HELD).subarray(0, 20), 50), []);
    assert.deepEqual(relay.onDeadline(100).toNode, [TICK]);
    relay.fromTunnel(message(HELD).subarray(20), 110);
    const long = message(HELD + 1);
    relay.fromTunnel(long.subarray(0, 20), 120);
    assert.equal(relay.nextDeadline(), 1_000);
    relay.fromTunnel(long.subarray(20), 130);
    assert.equal(relay.nextDeadline(), 230);
  });

  it('fails with NODE_SILENT when the node sent nothing for too long, and a tick counts as something', () => {
    const relay = connected({ ticks: 'feed', tickMs: 10_000 });
    assert.deepEqual(relay.fromNode(TICK, 500), []);
    assert.equal(relay.nextDeadline(), 1_500);
    assert.equal(relay.onDeadline(1_500).failure?.code, WireCode.NODE_SILENT);
  });

  it('takes no silence for one in which nobody listened', () => {
    const relay = connected({ tickMs: 10_000 });
    relay.reading(false, 100);
    assert.equal(relay.nextDeadline(), 10_000);
    relay.reading(true, 5_000);
    assert.equal(relay.nextDeadline(), 6_000);
    // A deadline met an hour too late: the process slept.
    assert.deepEqual(relay.onDeadline(3_600_000).failure, undefined);
    assert.ok(relay.nextDeadline() > 3_600_000);
    relay.nodeEnded();
    relay.tunnelEnded();
    assert.equal(relay.nextDeadline(), Number.POSITIVE_INFINITY);
  });

  it('leaves ticks to the nodes where it is told to', () => {
    const relay = connected({ ticks: 'pass' });
    assert.deepEqual(Buffer.concat(relay.fromNode(TICK, 1)), Buffer.from(TICK));
    assert.equal(relay.nextDeadline(), Number.POSITIVE_INFINITY);
  });
});

describe('a relay whose connection is refused', () => {
  it('passes the status on by which the acceptor refused', () => {
    for (const status of ['nok', 'not_allowed', 'something new']) {
      const said = handshake({ status }).slice(0, 2);
      const relay = newRelay('acceptor');
      assert.deepEqual(through(relay, 'acceptor', said).connector, sentBy(said, 'acceptor'));
      assert.equal(relay.phase, 'handshake');
    }
  });

  it('knows a refused cookie by the close behind the proof, and only by that', () => {
    for (const side of ['connector', 'acceptor'] as const) {
      const end = (said: Said[], by: Side): boolean => {
        const relay = newRelay(side);
        through(relay, side, said);
        if (by === side) relay.nodeEnded();
        else relay.tunnelEnded();
        return relay.cookieRefused;
      };
      assert.equal(end(handshake().slice(0, -1), 'acceptor'), true);
      assert.equal(end(handshake().slice(0, -1), 'connector'), false);
      assert.equal(end(handshake().slice(0, -2), 'acceptor'), false);
      assert.equal(end(handshake(), 'acceptor'), false);
    }
  });

  it('refuses a visible connector when only hidden ones are let through, as a node would', () => {
    for (const side of ['connector', 'acceptor'] as const) {
      const relay = newRelay(side, { hiddenOnly: true });
      const [name] = handshake();
      assert.ok(name !== undefined);
      const chunk = name.bytes;
      const out = side === 'connector' ? relay.fromNode(chunk, 0) : relay.fromTunnel(chunk, 0);
      assert.deepEqual(out, []);
      assert.ok(relay.nextDeadline() <= 0);
      const { toNode, toTunnel, failure } = relay.onDeadline(0);
      const told = side === 'connector' ? toNode : toTunnel;
      assert.deepEqual(told, [framed(encodeStatus('not_allowed'))]);
      assert.equal(failure?.code, WireCode.HIDDEN_ONLY);
      assert.match(failure?.text ?? '', /me@laptop/);
      assert.deepEqual(relay.fromNode(message(1), 0), []);
    }
  });

  it('refuses a connector that bears the name of a node beyond, as a node would', () => {
    for (const side of ['connector', 'acceptor'] as const) {
      const relay = newRelay(side, { isTaken: (name) => name === 'me@laptop' });
      const out = through(
        relay,
        side,
        handshake({ connectorFlags: Flag.HANDSHAKE_23 }).slice(0, 1),
      );
      assert.deepEqual(out.acceptor, Buffer.alloc(0));
      assert.deepEqual(out.connector, Buffer.from(framed(encodeStatus('not_allowed'))));
    }
    const relay = newRelay('connector', { isTaken: (name) => name === 'me@laptop' });
    relay.fromNode(handshake()[0]?.bytes ?? Buffer.alloc(0), 0);
    const { failure } = relay.onDeadline(0);
    assert.equal(failure?.code, WireCode.HIDDEN_ONLY);
    assert.match(failure?.text ?? '', /me@laptop is the name of a node there/);
  });

  it('lets pass who has another name, or is given one by the node', () => {
    for (const [taken, nameMe] of [
      ['app@dyno', false],
      ['laptop', true],
      ['2A@laptop', true],
    ] as const) {
      const relay = newRelay('acceptor', { isTaken: (name) => name === taken });
      through(relay, 'acceptor', handshake({ nameMe }));
      assert.equal(relay.phase, 'messages', taken);
    }
  });

  describe('of a name that it can not read, and so not hide,', () => {
    const [said] = handshake();
    assert.ok(said !== undefined);
    const frame = said.bytes.subarray(2);
    const names = {
      overlong: framed(Buffer.concat([frame, Buffer.alloc(4_096)])),
      'as long as a record of TLS': framed(Buffer.concat([frame, Buffer.alloc(0x1600)])),
      'as long as an alert of TLS': framed(Buffer.concat([frame, Buffer.alloc(0x1500)])),
      broken: framed(frame.subarray(0, 12)),
    };

    for (const [what, bytes] of Object.entries(names)) {
      for (const side of ['connector', 'acceptor'] as const) {
        it(`lets nothing through (${what}, ${side})`, () => {
          for (const sizes of [[1], [2], [1_000_000]]) {
            const relay = newRelay(side);
            const from = side === 'connector' ? 'fromNode' : 'fromTunnel';
            const out = chunked(bytes, sizes).flatMap((chunk) => relay[from](chunk, 0));
            assert.deepEqual(out, []);
            const { toNode, toTunnel, failure } = relay.onDeadline(0);
            const told = side === 'connector' ? toNode : toTunnel;
            assert.deepEqual(told, [framed(encodeStatus('not_allowed'))]);
            assert.equal(failure?.code, WireCode.HIDDEN_ONLY);
          }
        });
      }
    }

    it('lets all through where it hides nobody', () => {
      for (const bytes of Object.values(names)) {
        const relay = newRelay('connector', { hide: false });
        const heard = through(relay, 'connector', [{ from: 'connector', bytes }], [3]);
        assert.deepEqual([heard.acceptor, relay.phase], [Buffer.from(bytes), 'opaque']);
      }
    });
  });

  it('lets a hidden one pass all the same', () => {
    const relay = newRelay('connector', { hiddenOnly: true });
    const said = handshake({ connectorFlags: Flag.HANDSHAKE_23 });
    through(relay, 'connector', said);
    assert.equal(relay.phase, 'messages');
  });
});
