import assert from 'node:assert/strict';
import { WireCode } from '../../src/protocol/constants.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { wireCodeName, wireError, wireReason } from '../../src/protocol/wire-codes.ts';

describe('wire codes and errors', () => {
  it('have an error with a message for each code', () => {
    for (const [name, code] of Object.entries(WireCode)) {
      const error = wireError({ code, text: '' });
      assert.notEqual(error.code, 'INTERNAL', name);
      assert.ok(error.message.length > 0, name);
      assert.equal(wireCodeName(code), name);
    }
  });

  it('keep what the other end said', () => {
    const error = wireError({ code: WireCode.NO_SUCH_NODE, text: 'no such node: my_app' });
    assert.equal(error.code, 'NODE_NOT_FOUND');
    assert.equal(error.message, 'no such node: my_app');
  });

  it('tell what the other end does not know from what this one does not', () => {
    const refused = wireError({ code: WireCode.UNSUPPORTED, text: 'the other end requires 7' });
    assert.equal(refused.message, 'the other end requires 7, as the other end says');
    assert.match(refused.hint, /the other end is older/);
  });

  it('report an unknown code by its number', () => {
    assert.match(wireError({ code: 0x9001, text: '' }).message, /code 36865/);
  });

  it('say what failed here in the other end’s terms', () => {
    const reason = wireReason(new EpmuxError('NO_EPMD', 'epmd is away'));
    assert.deepEqual(reason, { code: WireCode.NO_EPMD, text: 'epmd is away' });
    assert.equal(wireReason(new EpmuxError('PIPE_LOST', '')).code, WireCode.ENDPOINT_GONE);
  });
});
