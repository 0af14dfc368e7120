import assert from 'node:assert/strict';
import fc from 'fast-check';
import { netrcEntry } from '../../src/heroku/netrc.ts';

const HOST = 'api.heroku.com';

describe('a netrc file', () => {
  const readable: [what: string, text: string, login: string | undefined, password: string][] = [
    [
      'as `heroku login` writes it',
      'machine api.heroku.com\n  login me@example.com\n  password HRKU-1\nmachine git.heroku.com\n  login me@example.com\n  password HRKU-2\n',
      'me@example.com',
      'HRKU-1',
    ],
    ['on one line', 'machine api.heroku.com login me password k', 'me', 'k'],
    ['with the password first', 'machine api.heroku.com password k login me', 'me', 'k'],
    [
      'with an account in between',
      'machine api.heroku.com login me account x password k',
      'me',
      'k',
    ],
    [
      'with tabs and Windows line ends',
      'machine\tapi.heroku.com\r\n\tlogin\tme\r\n\tpassword\tk\r\n',
      'me',
      'k',
    ],
    ['with a byte order mark', '\uFEFFmachine api.heroku.com login me password k', 'me', 'k'],
    [
      'with comments',
      '# password no\nmachine api.heroku.com # mine\n login me # mine too\n password k # password x',
      'me',
      'k',
    ],
    [
      'with a # within and before a password',
      'machine api.heroku.com login me password #k#',
      'me',
      '#k#',
    ],
    [
      'with quotes',
      'machine "api.heroku.com" login "a b" password "k \\"x\\" \\\\"',
      'a b',
      'k "x" \\',
    ],
    ['with the host in capitals', 'machine API.Heroku.com login me password k', 'me', 'k'],
    [
      'after other machines',
      'machine a login b password c machine api.heroku.com login me password k',
      'me',
      'k',
    ],
    [
      'after a default',
      'default login b password c\nmachine api.heroku.com login me password k',
      'me',
      'k',
    ],
    [
      'after a macro that speaks of machines',
      'machine a login b\nmacdef init\nmachine api.heroku.com password wrong\n\nmachine api.heroku.com login me password k',
      'me',
      'k',
    ],
    [
      'twice, the first counts',
      'machine api.heroku.com password k\nmachine api.heroku.com password x',
      undefined,
      'k',
    ],
    [
      'with words that nobody knows',
      'machine api.heroku.com "login" port 443 login me password k',
      'me',
      'k',
    ],
  ];
  for (const [what, text, login, password] of readable) {
    it(`is read ${what}`, () => {
      assert.deepEqual(netrcEntry(text, HOST), { login, password });
    });
  }

  const empty: [what: string, text: string][] = [
    ['it is empty', ''],
    ['it knows other machines alone', 'machine git.heroku.com login me password k'],
    ['only its default would fit', 'default login me password k'],
    ['the host is commented out', '# machine api.heroku.com password k'],
    ['the host stands in a macro without end', 'macdef init\nmachine api.heroku.com password k'],
    ['the host is a password', 'machine a password api.heroku.com'],
  ];
  for (const [what, text] of empty) {
    it(`has nothing for the host when ${what}`, () => {
      assert.equal(netrcEntry(text, HOST), undefined);
    });
  }

  it('may break off anywhere', () => {
    for (const text of [
      'machine',
      'machine api.heroku.com password',
      'machine api.heroku.com login "a',
    ]) {
      assert.doesNotThrow(() => netrcEntry(text, HOST));
    }
  });

  it('gives back any password that was quoted, wherever it stands', () => {
    const quoted = (text: string) => `"${text.replaceAll(/[\\"]/g, '\\$&')}"`;
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (password, other) => {
        const text = `machine a password ${quoted(other)}\nmachine ${HOST}\n password ${quoted(password)}\nmachine b password c`;
        assert.equal(netrcEntry(text, HOST)?.password, password);
      }),
      { verbose: true },
    );
  });
});
