import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  decodeConnectorFrame,
  digest,
  encodeAck,
  encodeChallenge,
  encodeStatus,
  Flag,
  framed,
  RELAYED_COOKIE,
  type ReplyFrame,
} from '../../src/erlang/handshake.ts';
import { answerIsAuth, MessageReader } from '../../src/erlang/is-auth.ts';
import { NodeClient, type NodeClientOptions } from '../../src/erlang/node-client.ts';
import { chunked, chunkings } from '../support/chunks.ts';
import { ACCEPTOR_CHALLENGE, message, TICK } from '../support/handshakes.ts';

const COOKIE = 'cookie';
const CHALLENGE = framed(
  encodeChallenge({
    version: 6,
    flags: Flag.PUBLISHED,
    challenge: ACCEPTOR_CHALLENGE,
    creation: 5,
    name: 'app@dyno',
  }),
);
const NAMED = framed(encodeStatus('named:', { name: '1A@epmux', creation: 7 }));

function newClient(options: Partial<NodeClientOptions> = {}): NodeClient {
  return new NodeClient({
    cookie: COOKIE,
    host: 'epmux',
    version: 6,
    random: () => 42,
    ...options,
  });
}

function failure(client: NodeClient): string {
  const { outcome } = client;
  return outcome?.kind === 'failed' ? outcome.error.code : `${outcome?.kind}`;
}

/**
 * What the acceptor sends up to the answer, cut into chunks; the client's own bytes decide the ack.
 */
function play(client: NodeClient, sizes: readonly number[], before: Uint8Array = TICK): string {
  const say = (bytes: Uint8Array, now: number): Buffer =>
    Buffer.concat(chunked(bytes, sizes).flatMap((chunk) => client.receive(chunk, now)));
  client.start();
  const reply = decodeConnectorFrame(say(Buffer.concat([NAMED, CHALLENGE]), 0).subarray(2));
  assert.ok(reply.kind === 'reply');
  assert.deepEqual(Buffer.from(reply.digest), digest(COOKIE, ACCEPTOR_CHALLENGE));
  const ack = encodeAck({ digest: digest(COOKIE, reply.challenge) });
  const [question] = new MessageReader().push(say(framed(ack), 10));
  assert.ok(question !== undefined);
  const answer = answerIsAuth(question);
  assert.ok(answer !== undefined);
  const ticks = say(before, 20);
  say(answer, 35);
  return ticks.toString('hex');
}

describe('a hidden node of our own', () => {
  it('comes to a pong whatever the chunks, answers ticks and passes over what it does not know', () => {
    fc.assert(
      fc.property(chunkings, (chunking) => {
        const client = newClient();
        const noise = Buffer.concat([TICK, message(30), message(70_000), TICK]);
        assert.equal(play(client, chunking, noise), '0000000000000000');
        const node = { name: 'app@dyno', flags: Flag.PUBLISHED, creation: 5 };
        assert.deepEqual(client.outcome, { kind: 'pong', node, rttMs: 25 });
      }),
      { numRuns: 20 },
    );
  });

  it('is hidden and asks for a name, or brings one along for a node of version 5', () => {
    const name = decodeConnectorFrame(newClient().start().subarray(2));
    assert.ok(name.kind === 'name' && name.version === 6 && name.name === 'epmux');
    assert.equal(name.flags & Flag.PUBLISHED, 0n);
    assert.notEqual(name.flags & Flag.NAME_ME, 0n);
    const older = decodeConnectorFrame(newClient({ version: 5 }).start().subarray(2));
    assert.ok(older.kind === 'name' && older.version === 5 && older.name === 'epmux-2a@epmux');
    assert.equal(older.flags & (Flag.PUBLISHED | Flag.HANDSHAKE_23), 0n);
  });

  it('stops at the challenge when it has no cookie', () => {
    const { cookie: _, ...options } = {
      cookie: '',
      host: 'epmux',
      version: 6,
      random: () => 1,
    } as const;
    const client = new NodeClient(options);
    assert.deepEqual(client.receive(Buffer.concat([NAMED, CHALLENGE]), 0), []);
    const node = { name: 'app@dyno', flags: Flag.PUBLISHED, creation: 5 };
    assert.deepEqual(client.outcome, { kind: 'seen', node });
  });

  it('leaves the proof to a relay that knows the cookie, and takes its word', () => {
    const mark = new Uint8Array(16);
    for (const [shown, result] of [
      [mark, 'undefined'],
      [digest(COOKIE, 42), 'COOKIE_REFUSED'],
    ] as const) {
      const client = newClient({ cookie: RELAYED_COOKIE });
      client.start();
      const [reply] = client.receive(Buffer.concat([NAMED, CHALLENGE]), 0);
      assert.ok(reply !== undefined);
      const { digest: sent } = decodeConnectorFrame(reply.subarray(2)) as ReplyFrame;
      assert.deepEqual(Uint8Array.from(sent), mark);
      const out = client.receive(framed(encodeAck({ digest: shown })), 10);
      assert.equal(failure(client), result);
      assert.equal(out.length, result === 'undefined' ? 1 : 0);
    }
  });

  it('compares the name when one is expected', () => {
    for (const [expected, code] of [
      ['app', 'undefined'],
      ['app@dyno', 'undefined'],
      ['app@other', 'NODE_NOT_FOUND'],
      ['ap', 'NODE_NOT_FOUND'],
    ] as const) {
      const client = newClient({ expected });
      client.receive(Buffer.concat([NAMED, CHALLENGE]), 0);
      assert.equal(failure(client), code);
    }
  });

  it('says what went wrong', () => {
    const failureAfter = (...said: readonly Uint8Array[]): string => {
      const client = newClient();
      for (const bytes of said) client.receive(bytes, 0);
      client.ended();
      return failure(client);
    };
    assert.equal(failureAfter(), 'NODE_UNREACHABLE');
    assert.equal(failureAfter(NAMED), 'NODE_UNREACHABLE');
    assert.equal(failureAfter(framed(encodeStatus('not_allowed'))), 'HANDSHAKE_REFUSED');
    assert.equal(failureAfter(NAMED, CHALLENGE), 'COOKIE_REFUSED');
    const wrong = framed(encodeAck({ digest: new Uint8Array(16) }));
    assert.equal(failureAfter(NAMED, CHALLENGE, wrong), 'COOKIE_REFUSED');
    assert.equal(failureAfter(CHALLENGE), 'NODE_UNREACHABLE');
    assert.equal(failureAfter(Buffer.from('HTTP/1.1 400 Bad Request\r\n')), 'NODE_UNREACHABLE');
  });

  it('has one outcome, and an error only of its own kinds, for any bytes', () => {
    const codes = new Set(['NODE_UNREACHABLE', 'HANDSHAKE_REFUSED', 'COOKIE_REFUSED']);
    fc.assert(
      fc.property(fc.nat(2), fc.array(fc.uint8Array({ maxLength: 40 })), (good, chunks) => {
        const client = newClient();
        const said = [...[NAMED, CHALLENGE].slice(0, good), ...chunks];
        for (const chunk of said) client.receive(chunk, 0);
        client.ended();
        const { outcome } = client;
        assert.ok(outcome?.kind === 'failed' && codes.has(outcome.error.code));
        client.receive(CHALLENGE, 0);
        client.ended();
        assert.equal(client.outcome, outcome);
      }),
    );
  });
});
