import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  decodeAcceptorFrame,
  decodeConnectorFrame,
  digest,
  encodeStatus,
  Flag,
  framed,
} from '../../src/erlang/handshake.ts';
import { DistributionRelay } from '../../src/erlang/relay.ts';
import { type DistributionRelayOptions, RELAY_DEFAULTS } from '../../src/erlang/relay-options.ts';
import { WireCode } from '../../src/protocol/constants.ts';
import { chunked, chunkings } from '../support/chunks.ts';
import {
  ACCEPTOR_CHALLENGE,
  CONNECTOR_CHALLENGE,
  handshake,
  message,
  type Said,
  type Script,
  TICK,
} from '../support/handshakes.ts';

const HELD = 50;
type Side = DistributionRelayOptions['side'];

function newRelay(side: Side, options: Partial<DistributionRelayOptions> = {}): DistributionRelay {
  return new DistributionRelay({ ...RELAY_DEFAULTS, maxHeldBytes: HELD, side, ...options }, 0);
}

interface Heard {
  readonly connector: Buffer;
  readonly acceptor: Buffer;
}

/** Puts what was said through the relay; what each side got to hear. */
function through(
  relay: DistributionRelay,
  side: Side,
  said: readonly Said[],
  sizes: readonly number[] = [Number.MAX_SAFE_INTEGER],
): Heard {
  const heard: Record<Side, Uint8Array[]> = { connector: [], acceptor: [] };
  for (const { from, bytes } of said) {
    for (const chunk of chunked(bytes, sizes)) {
      const out = from === side ? relay.fromNode(chunk, 0) : relay.fromTunnel(chunk, 0);
      heard[from === 'connector' ? 'acceptor' : 'connector'].push(...out);
      if (relay.nextDeadline() > 0) continue;
      const { toNode, toTunnel } = relay.onDeadline(0);
      const far = side === 'connector' ? 'acceptor' : 'connector';
      heard[side].push(...toNode);
      heard[far].push(...toTunnel);
    }
  }
  return { connector: Buffer.concat(heard.connector), acceptor: Buffer.concat(heard.acceptor) };
}

function sentBy(said: readonly Said[], from: Said['from']): Buffer {
  return Buffer.concat(said.filter((one) => one.from === from).map(({ bytes }) => bytes));
}

function frames(bytes: Buffer): Uint8Array[] {
  const all: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += 2 + bytes.readUInt16BE(at)) {
    all.push(bytes.subarray(at + 2, at + 2 + bytes.readUInt16BE(at)));
  }
  return all;
}

const scripts: fc.Arbitrary<Script> = fc.record(
  {
    connectorVersion: fc.constantFrom(5 as const, 6 as const),
    acceptorVersion: fc.constantFrom(5 as const, 6 as const),
    nameMe: fc.boolean(),
    status: fc.constantFrom('ok', 'ok_simultaneous', 'alive'),
  },
  { noNullPrototype: true },
);
const sides = fc.constantFrom<Side>('connector', 'acceptor');
const traffic: fc.Arbitrary<Said[]> = fc.array(
  fc.record({
    from: fc.constantFrom('connector' as const, 'acceptor' as const),
    bytes: fc.oneof(
      fc.constant(TICK),
      fc.integer({ min: 1, max: 3 * HELD }).map((size) => message(size)),
    ),
  }),
  { maxLength: 12 },
);

describe('a relay between a node and the tunnel', () => {
  it('does the same whatever the chunks', () => {
    fc.assert(
      fc.property(sides, scripts, traffic, chunkings, (side, script, more, chunking) => {
        const said = [...handshake(script), ...more];
        const whole = through(newRelay(side), side, said);
        const relay = newRelay(side);
        assert.deepEqual(through(relay, side, said, chunking), whole);
        assert.equal(relay.phase, 'messages');
        assert.equal(relay.acceptorName, 'app@dyno');
        assert.equal(relay.connectorName, script.nameMe === true ? '2A@laptop' : 'me@laptop');
        assert.equal(relay.refusal, undefined);
      }),
    );
  });

  it('changes nothing but ticks when it is not to hide', () => {
    fc.assert(
      fc.property(sides, scripts, traffic, chunkings, (side, script, more, chunking) => {
        const said = [...handshake(script), ...more];
        const heard = through(newRelay(side, { hide: false }), side, said, chunking);
        const expected = said.filter(({ bytes }) => bytes !== TICK);
        assert.deepEqual(heard.acceptor, sentBy(expected, 'connector'));
        assert.deepEqual(heard.connector, sentBy(expected, 'acceptor'));
      }),
    );
  });

  it('clears the published flag both ways and nothing else, trailing bytes of newer releases included', () => {
    fc.assert(
      fc.property(sides, scripts, fc.bigInt(0n, 0xffff_ffffn), (side, script, flags) => {
        const own = flags & ~Flag.NAME_ME;
        const said = handshake({ ...script, connectorFlags: own, acceptorFlags: own });
        const heard = through(newRelay(side), side, said);
        const hidden = own & ~Flag.PUBLISHED;
        const expected = handshake({ ...script, connectorFlags: hidden, acceptorFlags: hidden });
        assert.deepEqual(heard.acceptor, sentBy(expected, 'connector'));
        assert.deepEqual(heard.connector, sentBy(expected, 'acceptor'));
      }),
    );
    const [name] = handshake();
    assert.ok(name !== undefined);
    const longer = framed(Buffer.concat([name.bytes.subarray(2), Buffer.from('more')]));
    const heard = through(newRelay('connector'), 'connector', [{ ...name, bytes: longer }]);
    assert.equal(heard.acceptor.subarray(-4).toString(), 'more');
    assert.equal(heard.acceptor.length, longer.length);
  });

  it('lets TLS and anything else pass as it is, without ticks and without a limit', () => {
    fc.assert(
      fc.property(sides, fc.uint8Array({ minLength: 1 }), chunkings, (side, bytes, chunking) => {
        const said: Said[] = [
          { from: 'connector', bytes: Buffer.concat([Uint8Array.of(0x16, 3, 1), bytes]) },
          { from: 'acceptor', bytes },
        ];
        const relay = newRelay(side);
        const heard = through(relay, side, said, chunking);
        assert.equal(relay.phase, 'opaque');
        assert.deepEqual(heard.acceptor, sentBy(said, 'connector'));
        assert.deepEqual(heard.connector, sentBy(said, 'acceptor'));
        assert.equal(relay.nextDeadline(), Number.POSITIVE_INFINITY);
      }),
    );
  });

  it('never throws, keeps or loses a byte of garbage', () => {
    const garbage: fc.Arbitrary<Said[]> = fc.array(
      fc.record({
        from: fc.constantFrom('connector' as const, 'acceptor' as const),
        bytes: fc.oneof(
          fc.uint8Array({ maxLength: 30 }),
          fc.uint8Array({ maxLength: 9 }).map(framed),
        ),
      }),
    );
    fc.assert(
      fc.property(sides, fc.nat(4), garbage, chunkings, (side, count, more, chunking) => {
        const said = [...handshake().slice(0, count), ...more];
        const relay = newRelay(side, { hide: false, ticks: 'pass' });
        const heard = through(relay, side, said, chunking);
        const near = [heard[side], ...relay.tunnelEnded()];
        const far = [heard[side === 'connector' ? 'acceptor' : 'connector'], ...relay.nodeEnded()];
        const [toConnector, toAcceptor] = side === 'connector' ? [near, far] : [far, near];
        assert.deepEqual(Buffer.concat(toConnector), sentBy(said, 'acceptor'));
        assert.deepEqual(Buffer.concat(toAcceptor), sentBy(said, 'connector'));
      }),
    );
  });
});

describe('a relay that knows two cookies', () => {
  const cookies = { local: 'laptop cookie', production: 'production cookie' };
  const proofs = (heard: Heard) => {
    const reply = frames(heard.acceptor).map(decodeConnectorFrame).at(-1);
    const ack = frames(heard.connector).map(decodeAcceptorFrame).at(-1);
    assert.ok(reply?.kind === 'reply' && ack?.kind === 'ack');
    return { reply: Buffer.from(reply.digest), ack: Buffer.from(ack.digest) };
  };
  const run = (connectorCookie: string, acceptorCookie: string) =>
    proofs(
      through(
        newRelay('connector', { cookies }),
        'connector',
        handshake({ connectorCookie, acceptorCookie }),
      ),
    );

  it('shows each side a proof of the cookie that it knows', () => {
    const { reply, ack } = run(cookies.local, cookies.production);
    assert.deepEqual(reply, digest(cookies.production, ACCEPTOR_CHALLENGE));
    assert.deepEqual(ack, digest(cookies.local, CONNECTOR_CHALLENGE));
  });

  it('leaves a node alone that knows the production cookie itself', () => {
    const { reply, ack } = run(cookies.production, cookies.production);
    assert.deepEqual(reply, digest(cookies.production, ACCEPTOR_CHALLENGE));
    assert.deepEqual(ack, digest(cookies.production, CONNECTOR_CHALLENGE));
  });

  it('lends its cookie to nobody who does not know the local one', () => {
    const { reply } = run('a third one', cookies.production);
    assert.deepEqual(reply, digest('a third one', ACCEPTOR_CHALLENGE));
  });

  it("does not vouch for a far node that can't prove the production cookie", () => {
    const { ack } = run(cookies.local, 'a third one');
    assert.deepEqual(ack, digest('a third one', CONNECTOR_CHALLENGE));
  });
});

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
  it('knows the status by which the acceptor refused', () => {
    for (const status of ['nok', 'not_allowed', 'something new']) {
      const relay = newRelay('acceptor');
      through(relay, 'acceptor', handshake({ status }).slice(0, 2));
      assert.equal(relay.refusal, status);
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

  it('lets a hidden one pass all the same', () => {
    const relay = newRelay('connector', { hiddenOnly: true });
    const said = handshake({ connectorFlags: Flag.HANDSHAKE_23 });
    through(relay, 'connector', said);
    assert.equal(relay.phase, 'messages');
  });
});
