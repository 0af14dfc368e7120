import assert from 'node:assert/strict';
import { EpmuxError, messageOf, stackOf } from '../../src/protocol/errors.ts';

describe('EpmuxError', () => {
  describe('is', () => {
    it('holds for an error of ours with one of the codes', () => {
      const busy = new EpmuxError('BUSY', 'full');
      assert.equal(EpmuxError.is(busy, 'BUSY'), true);
      assert.equal(EpmuxError.is(busy, 'TIMEOUT', 'BUSY'), true);
      assert.equal(EpmuxError.is(busy, 'TIMEOUT'), false);
    });

    it("does not hold for somebody else's error, whatever its code", () => {
      assert.equal(
        EpmuxError.is(Object.assign(new Error('full'), { code: 'BUSY' }), 'BUSY'),
        false,
      );
      assert.equal(EpmuxError.is({ code: 'BUSY' }, 'BUSY'), false);
      assert.equal(EpmuxError.is(undefined, 'BUSY'), false);
    });

    it('narrows the code, and leaves other errors of ours in the other branch', () => {
      const error: EpmuxError = new EpmuxError('BUSY', 'full');
      if (EpmuxError.is(error, 'TIMEOUT')) {
        const code: 'TIMEOUT' = error.code;
        assert.fail(code);
      }
      assert.equal(error.message, 'full');
    });
  });

  describe('with', () => {
    const original = new EpmuxError('HEROKU_RATE_LIMITED', 'too often', {
      hint: 'wait',
      details: { retryAfterMs: '5' },
      cause: new Error('429'),
    });

    it('keeps code, message, hint and details', () => {
      const { code, message, hint, details } = original.with({});
      assert.deepEqual(
        { code, message, hint, details },
        {
          code: 'HEROKU_RATE_LIMITED',
          message: 'too often',
          hint: 'wait',
          details: { retryAfterMs: '5' },
        },
      );
    });

    it('changes what is named', () => {
      const changed = original.with({ message: 'web.1: too often', hint: 'later', details: {} });
      assert.equal(changed.message, 'web.1: too often');
      assert.equal(changed.hint, 'later');
      assert.deepEqual(changed.details, {});
    });

    it('takes undefined for what stays', () => {
      assert.equal(original.with({ message: undefined, hint: undefined }).hint, 'wait');
    });

    it('has the original as its cause, and so all causes of that', () => {
      const { cause } = original.with({ message: 'again' });
      assert.equal(cause, original);
    });

    it('makes up no details', () => {
      assert.equal(new EpmuxError('BUSY', 'full').with({}).details, undefined);
    });
  });

  describe('from', () => {
    it('gives an error of ours as it is', () => {
      const busy = new EpmuxError('BUSY', 'full');
      assert.equal(EpmuxError.from(busy, 'INTERNAL', 'opening'), busy);
    });

    it('says what failed and why, with the cause kept', () => {
      const cause = new TypeError('no function');
      const error = EpmuxError.from(cause, 'INTERNAL', 'opening failed');
      assert.equal(error.code, 'INTERNAL');
      assert.equal(error.message, 'opening failed: no function');
      assert.equal(error.cause, cause);
    });
  });
});

describe('the words of whatever was thrown', () => {
  it('are its message, or itself as text', () => {
    assert.equal(messageOf(new RangeError('too far')), 'too far');
    assert.equal(messageOf('a text'), 'a text');
    assert.equal(messageOf(undefined), 'undefined');
  });

  it('are its stack where it has one', () => {
    assert.match(stackOf(new Error('here')), /^Error: here\n +at /);
    const bare = new Error('bare');
    delete bare.stack;
    assert.equal(stackOf(bare), 'bare');
    assert.equal(stackOf(null), 'null');
  });
});
