import assert from 'node:assert/strict';
import fc from 'fast-check';
import * as v from 'valibot';
import { tunnelName, tunnelSpec, upSecrets } from '../../src/daemon/validate.ts';
import { herokuAhead } from '../../src/daemon/validate-ahead.ts';
import { ANSWER_BOUNDS } from '../../src/heroku/answer-bounds.ts';
import { ConfigVars, Reservation } from '../../src/heroku/answers.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';

const SPEC = {
  name: 'prod',
  way: { kind: 'ssh', user: 'me', host: 'example.com', port: 22 },
  agent: 'auto',
  agentPort: 9001,
  hiddenOnly: false,
};

function refusal(work: () => unknown): EpmuxError {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof EpmuxError);
    return error;
  }
  throw new Error('it was taken');
}

describe('what comes over the control socket or from the state file', () => {
  it('is taken with its fields in one order, whatever order they came in', () => {
    const turned = Object.fromEntries(Object.entries(SPEC).reverse());
    assert.equal(
      JSON.stringify(tunnelSpec(turned, 'spec')),
      JSON.stringify(tunnelSpec(SPEC, 'spec')),
    );
  });

  it('loses the fields that nobody knows', () => {
    const way = { ...SPEC.way, proxyCommand: 'rm' };
    assert.deepEqual(tunnelSpec({ ...SPEC, way, more: 1 }, 'spec'), SPEC);
  });

  it('is refused by the name of the wrong field', () => {
    const wrong: readonly (readonly [object, RegExp])[] = [
      [{ ...SPEC, agentPort: 0 }, /^spec\.agentPort /],
      [{ ...SPEC, agent: 'maybe' }, /^spec\.agent .*auto, require, none/],
      [{ ...SPEC, way: { kind: 'pigeon' } }, /^spec\.way\.kind /],
      [{ ...SPEC, way: { ...SPEC.way, host: '' } }, /^spec\.way\.host /],
      [{ ...SPEC, way: undefined }, /^spec\.way /],
      [{ ...SPEC, hiddenOnly: 1 }, /^spec\.hiddenOnly /],
    ];
    for (const [value, expected] of wrong) {
      assert.match(refusal(() => tunnelSpec(value, 'spec')).message, expected);
    }
  });

  it('is never repeated in the refusal', () => {
    const error = refusal(() => upSecrets({ secret: ['hunter2'] }, 'secrets'));
    assert.doesNotMatch(error.message, /hunter2/);
  });

  it('is refused with CONTROL_PROTOCOL and nothing else, whatever it is', () => {
    fc.assert(
      fc.property(fc.anything(), fc.constantFrom(...Object.keys(SPEC)), (value, field) => {
        for (const input of [value, { ...SPEC, [field]: value }]) {
          try {
            tunnelSpec(input, 'spec');
          } catch (error) {
            assert.ok(EpmuxError.is(error, 'CONTROL_PROTOCOL'));
          }
        }
      }),
    );
  });

  it('has tunnel names of one word without slashes', () => {
    for (const name of ['prod', 'host:9001', 'user@host', 'é']) tunnelName(name, 'name');
    for (const name of ['', '-x', 'a b', 'a/b', 'a\\b', 'a\nb', 'x'.repeat(65)]) {
      refusal(() => tunnelName(name, 'name'));
    }
  });
});

describe('what a command was told by Heroku', () => {
  const AHEAD = {
    facts: {
      app: { name: 'my-app', generation: 'cedar', space: { name: 'sea', shield: false } },
      enabled: true,
      buildpacks: ['https://github.com/heroku/exec-buildpack'],
      configVars: { EMPTY: '', COOKIE: 'secret' },
    },
    dynos: [{ id: '1', name: 'web.1', type: 'web', state: 'up' }],
    keys: { privateKey: 'secret', publicKey: 'ssh-rsa AAAA' },
    reservations: {
      'web.1': { tunnel_host: 'a.example.com', client_user: 'u', proxy_public_key: 'ssh-rsa B' },
    },
  };

  it('is taken as it is', () => {
    assert.deepEqual(herokuAhead(AHEAD, 'ahead'), AHEAD);
  });

  it('is taken up to the bounds that the answers have, and no further', () => {
    const text = 'x'.repeat(ANSWER_BOUNDS.text);
    const configVars = { [text]: text };
    assert.ok(v.is(ConfigVars, configVars));
    herokuAhead({ ...AHEAD, facts: { ...AHEAD.facts, configVars } }, 'ahead');

    const [[name, reservation] = ['', undefined]] = Object.entries(AHEAD.reservations);
    for (const wrong of [
      { tunnel_host: 'a host' },
      { client_user: '-oProxyCommand=x' },
      { proxy_public_key: 'no key' },
      { proxy_public_key: `ssh-rsa ${'A'.repeat(ANSWER_BOUNDS.hostKey)}` },
    ]) {
      const other = { ...reservation, ...wrong };
      assert.ok(!v.is(Reservation, other));
      refusal(() => herokuAhead({ ...AHEAD, reservations: { [name]: other } }, 'ahead'));
    }
  });

  it('is refused by the name of the wrong field, without what stands there', () => {
    const { facts } = AHEAD;
    const wrong: readonly (readonly [object, RegExp])[] = [
      [{ ...AHEAD, keys: { privateKey: 7, publicKey: 'secret' } }, /^ahead\.keys\.privateKey /],
      [
        { ...AHEAD, facts: { ...facts, configVars: { COOKIE: { secret: 1 } } } },
        /configVars\.COOKIE /,
      ],
      [{ ...AHEAD, facts: { ...facts, configVars: ['secret'] } }, /configVars has to be an object/],
      [{ ...AHEAD, reservations: { '': {} } }, /^a name in ahead\.reservations /],
      [{ ...AHEAD, dynos: [{ secret: 1 }] }, /^ahead\.dynos\[0\]\.id /],
    ];
    for (const [value, message] of wrong) {
      const error = refusal(() => herokuAhead(value, 'ahead'));
      assert.equal(error.code, 'CONTROL_PROTOCOL');
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /secret/);
    }
  });
});
