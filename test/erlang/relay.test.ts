import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  decodeAcceptorFrame,
  decodeConnectorFrame,
  digest,
  Flag,
  framed,
} from '../../src/erlang/handshake.ts';
import { chunkings } from '../support/chunks.ts';
import {
  ACCEPTOR_CHALLENGE,
  CONNECTOR_CHALLENGE,
  handshake,
  message,
  type Said,
  type Script,
  TICK,
} from '../support/handshakes.ts';
import { HELD, type Heard, newRelay, type Side, sentBy, through } from './relay-support.ts';

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
        assert.equal(relay.connectorName, script.nameMe === true ? '2A@laptop' : 'me@laptop');
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
