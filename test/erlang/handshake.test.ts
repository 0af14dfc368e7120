import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  decodeAcceptorFrame,
  decodeConnectorFrame,
  digest,
  encodeAck,
  encodeChallenge,
  encodeName,
  encodeReply,
  encodeStatus,
} from '../../src/erlang/handshake.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { encodeComplement } from '../support/handshakes.ts';

const word = fc.nat(0xffff_ffff);
const text = fc.string({ maxLength: 40, unit: 'grapheme' });
const proof = fc.uint8Array({ minLength: 16, maxLength: 16 });

describe('handshake frames', () => {
  it('of both versions come out as they went in', () => {
    fc.assert(
      fc.property(
        fc.bigInt(0n, 2n ** 64n - 1n),
        word,
        word,
        text,
        (flags, challenge, word2, name) => {
          for (const version of [5, 6] as const) {
            const [own, creation] = version === 6 ? [flags, word2] : [flags & 0xffff_ffffn, 0];
            const sent = { version, flags: own, creation, name };
            assert.deepEqual(decodeConnectorFrame(encodeName(sent)), { kind: 'name', ...sent });
            const asked = { ...sent, challenge };
            assert.deepEqual(decodeAcceptorFrame(encodeChallenge(asked)), {
              kind: 'challenge',
              ...asked,
            });
          }
        },
      ),
    );
    fc.assert(
      fc.property(word, word, proof, text, (challenge, creation, shown, name) => {
        const reply = { challenge, digest: Buffer.from(shown) };
        assert.deepEqual(decodeConnectorFrame(encodeReply(reply)), { kind: 'reply', ...reply });
        const ack = { digest: Buffer.from(shown) };
        assert.deepEqual(decodeAcceptorFrame(encodeAck(ack)), { kind: 'ack', ...ack });
        const complement = { flagsHigh: challenge, creation };
        assert.deepEqual(decodeConnectorFrame(encodeComplement(complement)), {
          kind: 'complement',
          ...complement,
        });
        const given = { name, creation };
        assert.deepEqual(decodeAcceptorFrame(encodeStatus('named:', given)), {
          kind: 'status',
          status: 'named:',
          given,
        });
      }),
    );
  });

  it('of any bytes are a frame or HANDSHAKE_REFUSED', () => {
    fc.assert(
      fc.property(fc.constantFrom(...'Nnscra'), fc.uint8Array({ maxLength: 40 }), (tag, bytes) => {
        for (const decode of [decodeConnectorFrame, decodeAcceptorFrame]) {
          for (const frame of [bytes, Buffer.concat([Buffer.from(tag), bytes])]) {
            try {
              decode(frame);
            } catch (error) {
              assert.ok(EpmuxError.is(error, 'HANDSHAKE_REFUSED'));
            }
          }
        }
      }),
    );
  });

  it('prove a cookie by the MD5 of its characters, a byte each, and the challenge as unsigned decimal text', () => {
    // erlang:md5(["monster" | integer_to_list(4294967295)])
    assert.equal(
      Buffer.from(digest('monster', 0xffff_ffff)).toString('hex'),
      '9dffd90a48c46a8277429bfdefc02ebe',
    );
    // erlang:md5([atom_to_list('schl\x{fc}ssel') | integer_to_list(4294967295)])
    assert.equal(
      Buffer.from(digest('schl\xfcssel', 0xffff_ffff)).toString('hex'),
      '205fa915bfb504a29a5f2a535db8f0a4',
    );
  });
});
