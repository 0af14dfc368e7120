import assert from 'node:assert/strict';
import { PREFERRED_PAYLOAD_BYTES, SESSION_ID_BYTES } from '../../src/protocol/constants.ts';
import { MIN_PAYLOAD_BYTES, SESSION_DEFAULTS } from '../../src/session/config.ts';
import { Session } from '../../src/session/session.ts';
import { LoneSession } from '../support/lone-session.ts';

describe('the frames that a session makes', () => {
  for (const most of [MIN_PAYLOAD_BYTES, 5_000]) {
    it(`carry ${most} bytes at most where that is the bound, and lose nothing`, () => {
      const lone = LoneSession.attached('daemon', { maxPayloadBytes: most });
      const stream = lone.session.open('port/1', 'bulk', lone.now);
      const written = Uint8Array.from({ length: 3 * most + 1 }, (_, at) => at % 251);
      lone.session.write(stream, written);
      const payloads = lone.sent().flatMap((frame) => (frame.type === 'DATA' ? frame.payload : []));
      assert.deepEqual(
        payloads.map(({ length }) => length),
        [most, most, most, 1],
      );
      assert.equal(Buffer.compare(Buffer.concat(payloads), written), 0);
    });
  }

  it('have a bound that the protocol can carry', () => {
    for (const maxPayloadBytes of [MIN_PAYLOAD_BYTES - 1, PREFERRED_PAYLOAD_BYTES + 1]) {
      const config = { ...SESSION_DEFAULTS, maxPayloadBytes };
      assert.throws(() => new Session('daemon', config, new Uint8Array(SESSION_ID_BYTES), 0), {
        code: 'CONFIG_INVALID',
      });
    }
  });
});
