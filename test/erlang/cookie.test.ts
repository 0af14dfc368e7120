import assert from 'node:assert/strict';
import {
  cookieOfFile,
  cookieOfVariables,
  cookiesOfText,
  givenCookie,
  isCookie,
  MAX_COOKIE_BYTES,
} from '../../src/erlang/cookie.ts';

describe('cookies', () => {
  it('are of bounded length and without control characters', () => {
    const longest = 'ü'.repeat(MAX_COOKIE_BYTES);
    for (const cookie of ['a', 'with space', ' ', '\u0085', longest]) assert(isCookie(cookie));
    for (const text of ['', 'a\n', 'a\0b', 'a\x7f', `x${longest}`, '€']) {
      assert(!isCookie(text), JSON.stringify(text));
    }
  });

  it('are the characters of a text, or its bytes, as the locale of the node has it', () => {
    assert.deepEqual(cookiesOfText('plain'), ['plain']);
    assert.deepEqual(cookiesOfText('Ü'), ['\xdc', '\xc3\x9c']);
    assert.deepEqual(cookiesOfText('€'), ['\xe2\x82\xac']);
  });

  it('are given without the white space around them', () => {
    for (const end of ['', '\n', '\r\n', '\n\n']) assert.equal(givenCookie(` ü ${end}`), 'ü');
    assert.equal(givenCookie('\n'), '');
    assert.equal(givenCookie('€'), '\xe2\x82\xac');
  });

  it('are read from their file as Erlang does', () => {
    const read = (text: string): string | undefined => cookieOfFile(Buffer.from(text));
    assert.equal(read('ABC'), 'ABC');
    assert.equal(read('ABC\n'), 'ABC');
    assert.equal(read(' A B  \r\n \n'), ' A B  ');
    for (const refused of ['', '\n', '\nABC', 'A\nB', 'A\tB', 'ABC\t', 'ü', 'x'.repeat(256)]) {
      assert.equal(read(refused), undefined, JSON.stringify(refused));
    }
  });

  it('stand in the environment under usual names, the release’s own first', () => {
    assert.equal(cookieOfVariables({ ERLANG_COOKIE: 'b', RELEASE_COOKIE: 'a' }), 'a');
    assert.equal(cookieOfVariables({ ERLANG_COOKIE: 'b', RELEASE_COOKIE: '' }), 'b');
    assert.equal(cookieOfVariables({ NODE_COOKIE: '€', ERL_COOKIE: 'a\n' }), '\xe2\x82\xac');
    assert.equal(cookieOfVariables({ SESSION_COOKIE: 'c', RELEASE_COOKIE: undefined }), undefined);
  });
});
