import assert from 'node:assert/strict';
import { userInfo } from 'node:os';
import { parseHostPort, parseSshAddress } from '../../src/cli/way/address.ts';

describe('an address', () => {
  const ssh: [text: string, user: string, host: string, port: number][] = [
    ['example.com', userInfo().username, 'example.com', 22],
    ['deploy@example.com', 'deploy', 'example.com', 22],
    ['deploy@example.com:2222', 'deploy', 'example.com', 2222],
    ['a@b@example.com', 'a@b', 'example.com', 22],
    ['deploy@[::1]:2222', 'deploy', '::1', 2222],
    ['[fe80::1%eth0]', userInfo().username, 'fe80::1%eth0', 22],
  ];
  for (const [text, user, host, port] of ssh) {
    it(`${text} is one for SSH`, () => {
      assert.deepEqual(parseSshAddress('--ssh', text), { user, host, port });
    });
  }

  for (const text of [
    '',
    '@host',
    'user@',
    'ho st',
    'host:',
    'host:0',
    'host:65536',
    'host:x',
    '::1',
    '-oX',
    'ssh://host',
    'host/path',
  ]) {
    it(`"${text}" is none for SSH`, () => {
      assert.throws(() => parseSshAddress('--ssh', text), {
        code: 'USAGE',
        message: /^--ssh takes /,
      });
    });
  }

  it('is refused with a user or a host that is too long', () => {
    const long = 'x'.repeat(256);
    for (const text of [long, `${long}@host`]) {
      assert.throws(() => parseSshAddress('--ssh', text), {
        code: 'USAGE',
        message: /^--ssh takes a (host|user) of at most 255 characters$/,
      });
    }
    assert.throws(() => parseHostPort('--connect', `${long}:1`), { code: 'USAGE' });
  });

  it('of a port names host and port, both', () => {
    assert.deepEqual(parseHostPort('--connect', 'localhost:9001'), {
      host: 'localhost',
      port: 9001,
    });
    assert.deepEqual(parseHostPort('--connect', '[::1]:1'), { host: '::1', port: 1 });
    for (const text of ['localhost', ':9001', '9001', 'localhost:', 'a b:1', '']) {
      assert.throws(() => parseHostPort('--connect', text), { code: 'USAGE' }, text);
    }
  });
});
