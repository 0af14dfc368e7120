import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  decodeAcceptorFrame,
  decodeConnectorFrame,
  digest,
  encodeAck,
  encodeReply,
  framed,
  NO_PROOF,
} from '../../src/erlang/handshake.ts';
import type { RelayCookies } from '../../src/erlang/handshake-pass.ts';
import { DistributionRelay } from '../../src/erlang/relay.ts';
import { RELAY_DEFAULTS } from '../../src/erlang/relay-options.ts';
import { chunked, chunkings } from '../support/chunks.ts';
import {
  ACCEPTOR_CHALLENGE,
  CONNECTOR_CHALLENGE,
  handshake,
  type Said,
} from '../support/handshakes.ts';

const LOCAL = 'laptop cookie';
const PRODUCTION = 'production cookie';
const THIRD = 'a third one';
const MARK = new Uint8Array(16);
type Knowledge = RelayCookies | undefined;

/** The daemon's relay, the tunnel, and the agent's. */
class TwoRelays {
  readonly #near: DistributionRelay;
  readonly #far: DistributionRelay;
  readonly tunnel: Uint8Array[] = [];

  constructor(near: Knowledge, far: Knowledge) {
    this.#near = new DistributionRelay({ ...RELAY_DEFAULTS, side: 'connector', cookies: near }, 0);
    this.#far = new DistributionRelay({ ...RELAY_DEFAULTS, side: 'acceptor', cookies: far }, 0);
  }

  /** What the other node hears. */
  say({ from, bytes }: Said, sizes: readonly number[] = [Number.MAX_SAFE_INTEGER]): Buffer {
    const [first, second] =
      from === 'connector' ? [this.#near, this.#far] : [this.#far, this.#near];
    const heard: Uint8Array[] = [];
    for (const chunk of chunked(bytes, sizes)) {
      for (const passed of first.fromNode(chunk, 0)) {
        this.tunnel.push(passed);
        for (const piece of chunked(passed, sizes)) heard.push(...second.fromTunnel(piece, 0));
      }
    }
    return Buffer.concat(heard);
  }
}

interface Proofs {
  readonly reply: Uint8Array;
  readonly ack: Uint8Array;
}

function proofs(
  near: Knowledge,
  far: Knowledge,
  said: readonly Said[],
  sizes?: readonly number[],
): Proofs {
  const relays = new TwoRelays(near, far);
  const heard = said.map((one) => relays.say(one, sizes).subarray(2));
  const [reply, ack] = heard.slice(-2);
  assert.ok(reply !== undefined && ack !== undefined);
  const [r, a] = [decodeConnectorFrame(reply), decodeAcceptorFrame(ack)];
  assert.ok(r.kind === 'reply' && a.kind === 'ack');
  assert.equal(r.challenge, CONNECTOR_CHALLENGE);
  return { reply: Uint8Array.from(r.digest), ack: Uint8Array.from(a.digest) };
}

const accepted = (cookie: string, shown: Uint8Array, challenge: number): boolean =>
  Buffer.from(shown).equals(digest(cookie, challenge));

const nearKnows: readonly Knowledge[] = [
  undefined,
  { local: LOCAL },
  { local: LOCAL, production: PRODUCTION },
];
const farKnows: readonly Knowledge[] = [undefined, { production: PRODUCTION }];
const cookies = [LOCAL, PRODUCTION, THIRD];

describe('two relays that know one cookie each', () => {
  const split = [{ local: LOCAL }, { production: PRODUCTION }] as const;

  it('show each node a proof of the cookie that it knows, whatever the chunks', () => {
    const versions = fc.constantFrom(5 as const, 6 as const);
    fc.assert(
      fc.property(versions, versions, fc.boolean(), chunkings, (one, other, nameMe, sizes) => {
        const script = { connectorVersion: one, acceptorVersion: other, nameMe };
        const said = handshake({ ...script, connectorCookie: LOCAL, acceptorCookie: PRODUCTION });
        const { reply, ack } = proofs(...split, said, sizes);
        assert.ok(accepted(PRODUCTION, reply, ACCEPTOR_CHALLENGE));
        assert.ok(accepted(LOCAL, ack, CONNECTOR_CHALLENGE));
      }),
    );
  });

  it('do the same one byte at a time', () => {
    const said = handshake({ connectorCookie: LOCAL, acceptorCookie: PRODUCTION });
    assert.deepEqual(proofs(...split, said, [1]), proofs(...split, said));
  });

  it('have nothing between them that says anything of either cookie', () => {
    const relays = new TwoRelays(...split);
    const said = handshake({ connectorCookie: LOCAL, acceptorCookie: PRODUCTION });
    for (const one of said) relays.say(one);
    const frames = relays.tunnel.map((bytes) => Buffer.from(bytes.subarray(2)));
    assert.deepEqual(
      frames.at(-2),
      Buffer.from(encodeReply({ challenge: CONNECTOR_CHALLENGE, digest: MARK })),
    );
    assert.deepEqual(frames.at(-1), Buffer.from(encodeAck({ digest: MARK })));
  });

  it('join two nodes when both know the same cookie or the relays know one of each, and never else', () => {
    for (const near of nearKnows) {
      for (const far of farKnows) {
        for (const connectorCookie of cookies) {
          for (const acceptorCookie of cookies) {
            const said = handshake({ connectorCookie, acceptorCookie });
            const { reply, ack } = proofs(near, far, said);
            const knows = near?.production !== undefined || far?.production !== undefined;
            const translated = near?.local === connectorCookie && knows;
            const marked = near?.local === connectorCookie && near.production === undefined;
            const joins = translated
              ? acceptorCookie === PRODUCTION
              : !marked && connectorCookie === acceptorCookie;
            const about = JSON.stringify({ near, far, connectorCookie, acceptorCookie });
            assert.equal(accepted(acceptorCookie, reply, ACCEPTOR_CHALLENGE), joins, about);
            if (joins) assert.ok(accepted(connectorCookie, ack, CONNECTOR_CHALLENGE), about);
          }
        }
      }
    }
  });

  it('leave the node alone that brings the production cookie itself', () => {
    const said = handshake({ connectorCookie: PRODUCTION, acceptorCookie: PRODUCTION });
    const { reply, ack } = proofs(...split, said);
    assert.ok(accepted(PRODUCTION, reply, ACCEPTOR_CHALLENGE));
    assert.ok(accepted(PRODUCTION, ack, CONNECTOR_CHALLENGE));
  });

  it("do not vouch for a far node that can't prove the production cookie", () => {
    const said = handshake({ connectorCookie: LOCAL, acceptorCookie: THIRD });
    assert.ok(accepted(THIRD, proofs(...split, said).ack, CONNECTOR_CHALLENGE));
  });
});

describe('a mark that comes from a node', () => {
  const forged = framed(encodeReply({ challenge: CONNECTOR_CHALLENGE, digest: MARK }));
  const forgedAck = framed(encodeAck({ digest: MARK }));
  const replyOf = (bytes: Uint8Array) => {
    const frame = decodeConnectorFrame(bytes.subarray(2));
    assert.ok(frame.kind === 'reply');
    return Uint8Array.from(frame.digest);
  };

  it('opens no door: what the far node hears proves nothing, at any point of the handshake', () => {
    const said = handshake();
    for (const near of nearKnows) {
      for (let before = 1; before < said.length - 1; before += 1) {
        const relays = new TwoRelays(near, { production: PRODUCTION });
        for (const one of said.slice(0, before)) relays.say(one);
        const heard = relays.say({ from: 'connector', bytes: forged });
        assert.deepEqual(replyOf(heard), NO_PROOF);
      }
    }
  });

  it('opens none either while the challenge is still on its way to the near relay', () => {
    const relay = { ...RELAY_DEFAULTS, cookies: { production: PRODUCTION } };
    const near = new DistributionRelay({ ...relay, side: 'connector', cookies: undefined }, 0);
    const far = new DistributionRelay({ ...relay, side: 'acceptor' }, 0);
    for (const { from, bytes } of handshake().slice(0, 3)) {
      if (from === 'acceptor') far.fromNode(bytes, 0);
      else for (const passed of near.fromNode(bytes, 0)) far.fromTunnel(passed, 0);
    }
    const [passed] = near.fromNode(forged, 0);
    assert.ok(passed !== undefined);
    assert.deepEqual(replyOf(Buffer.concat(far.fromTunnel(passed, 0))), NO_PROOF);
  });

  it('is no proof of the production cookie either', () => {
    const relays = new TwoRelays({ local: LOCAL }, { production: PRODUCTION });
    for (const one of handshake({ connectorCookie: LOCAL }).slice(0, -1)) relays.say(one);
    const heard = decodeAcceptorFrame(
      relays.say({ from: 'acceptor', bytes: forgedAck }).subarray(2),
    );
    assert.ok(heard.kind === 'ack');
    assert.deepEqual(Uint8Array.from(heard.digest), NO_PROOF);
  });

  it('proves nothing to a relay that knows both cookies', () => {
    const both = { local: LOCAL, production: PRODUCTION };
    const relays = new TwoRelays(both, undefined);
    for (const one of handshake().slice(0, 3)) relays.say(one);
    assert.deepEqual(replyOf(relays.say({ from: 'connector', bytes: forged })), NO_PROOF);
  });
});
