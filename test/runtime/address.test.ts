import assert from 'node:assert/strict';
import { hostOf, hostPort, portOf, splitHostPort } from '../../src/runtime/address.ts';

describe('an address in words', () => {
  for (const [text, host, port] of [
    ['example.com', 'example.com', undefined],
    ['example.com:22', 'example.com', '22'],
    ['[::1]:22', '::1', '22'],
    ['[fe80::1%eth0]', 'fe80::1%eth0', undefined],
    ['host:', 'host', ''],
  ] as const) {
    it(`is read: ${text}`, () => assert.deepEqual(splitHostPort(text), { host, port }));
  }

  for (const text of ['', ':1', '::1', '[]:1', 'a b:1', 'user@host:1', 'host/path']) {
    it(`is none: "${text}"`, () => assert.equal(splitHostPort(text), undefined));
  }

  it('is written as it is read', () => {
    for (const [host, text] of [
      ['example.com', 'example.com:1'],
      ['::1', '[::1]:1'],
    ] as const) {
      assert.equal(hostPort({ host, port: 1 }), text);
      assert.equal(hostOf(new URL(`http://${text}`)), host);
    }
  });

  it('has a port of digits from 1 to 65535, or from 0 where any will do', () => {
    assert.deepEqual(
      ['1', '65535'].map((text) => portOf(text)),
      [1, 65_535],
    );
    assert.equal(portOf('0', 0), 0);
    for (const text of ['', '0', '65536', '-1', '1.5', '0x1', ' 1', '1e3', '000001']) {
      assert.equal(portOf(text), undefined, text);
    }
  });
});
