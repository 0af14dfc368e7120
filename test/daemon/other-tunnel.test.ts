import assert from 'node:assert/strict';
import type { TunnelSpec, Way } from '../../src/daemon/control/api.ts';
import { otherTunnel } from '../../src/daemon/other-tunnel.ts';
import { connectSpec } from '../support/daemon-fixture.ts';

const app: Way = { kind: 'heroku', app: 'my-app', dynos: [] };
const ssh: Way = { kind: 'ssh', user: 'me', host: 'h', port: 22 };
const spec = (more: Partial<TunnelSpec>): TunnelSpec => connectSpec(9001, more);

describe('another tunnel of the same name', () => {
  const pairs: [what: string, known: TunnelSpec, other: TunnelSpec, says: RegExp][] = [
    ['place', spec({}), connectSpec(9002), /prod leads elsewhere already$/],
    ['kind of way', spec({}), spec({ way: ssh }), /leads elsewhere already$/],
    ['app', spec({ way: app }), spec({ way: { ...app, app: 'b' } }), /leads elsewhere already$/],
    [
      '--agent',
      spec({}),
      spec({ agent: 'require' }),
      /prod is there already, with another --agent$/,
    ],
    ['--via', spec({ via: 'socks5://me:pass@p:1' }), spec({}), /with another --via$/],
    ['dyno', spec({ way: app }), spec({ way: { ...app, dynos: ['web.1'] } }), /another --dyno$/],
    ['key', spec({ way: ssh }), spec({ way: { ...ssh, identityFile: '/k' } }), /other --identity$/],
    [
      'port and visibility',
      spec({}),
      spec({ epmdPort: 1, hiddenOnly: true }),
      /with another --hidden-only and another --epmd-port$/,
    ],
  ];
  for (const [what, known, other, says] of pairs) {
    it(`is told by what differs: ${what}`, () => {
      for (const error of [otherTunnel(known, other), otherTunnel(other, known)]) {
        assert.equal(error?.code, 'TUNNEL_EXISTS');
        assert.match(error.message, says);
        assert.doesNotMatch(error.message, /pass/);
      }
    });
  }

  it('is none that only takes secret and cookie from other files', () => {
    const files = { secretFile: '/s', cookieFile: '/c' };
    assert.equal(
      otherTunnel(spec({ via: 'socks5://p:1' }), spec({ via: 'socks5://p:1' })),
      undefined,
    );
    assert.equal(otherTunnel(spec({}), spec(files)), undefined);
  });
});
