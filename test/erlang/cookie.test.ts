import assert from 'node:assert/strict';
import { cookieOfVariables, isCookie, MAX_COOKIE_BYTES } from '../../src/erlang/cookie.ts';

describe('cookies', () => {
  it('are of bounded length and without control characters', () => {
    for (const cookie of ['a', 'with space', 'x'.repeat(MAX_COOKIE_BYTES)])
      assert(isCookie(cookie));
    for (const text of ['', 'a\n', 'a\0b', '\u0085', 'x'.repeat(256), 'ü'.repeat(128)]) {
      assert(!isCookie(text), JSON.stringify(text));
    }
  });

  it('stand in the environment under usual names, the release’s own first', () => {
    assert.equal(cookieOfVariables({ ERLANG_COOKIE: 'b', RELEASE_COOKIE: 'a' }), 'a');
    assert.equal(cookieOfVariables({ ERLANG_COOKIE: 'b', RELEASE_COOKIE: '' }), 'b');
    assert.equal(cookieOfVariables({ SESSION_COOKIE: 'c', RELEASE_COOKIE: undefined }), undefined);
  });
});
