import assert from 'node:assert/strict';
import { parseConfiguration } from '../../src/cli/config/file.ts';
import { lineOfKey } from '../../src/cli/config/lines.ts';

const PATH = '/project/epmux.toml';

describe('a configuration file', () => {
  it('holds named tunnels with the keys of the options', () => {
    const text = `
      # where production is
      [tunnels.prod]
      ssh = "deploy@example.com"
      agent-port = 9001
      hidden-only = true

      [tunnels."other one"]
      dyno = ["web", "worker.1"]
    `;
    assert.deepEqual(parseConfiguration(PATH, text).tunnels, {
      prod: { ssh: 'deploy@example.com', 'agent-port': 9001, 'hidden-only': true },
      'other one': { dyno: ['web', 'worker.1'] },
    });
  });

  it('may be empty', () => {
    assert.deepEqual(parseConfiguration(PATH, ''), { tunnels: {} });
  });

  const wrong: [what: string, text: string, says: RegExp][] = [
    ['no TOML', '[tunnels.prod]\nssh = \n', /^\/project\/epmux\.toml:2: /],
    [
      'a key that is a slip of the pen',
      '[tunnels.prod]\nssh = "h"\n\nagent_port = 1\n',
      /epmux\.toml:4: unknown key agent_port in \[tunnels\.prod\]: did you mean agent-port\?/,
    ],
    [
      'a table that is none of ours',
      '[tunnel.prod]\nssh = "h"\n',
      /:1: unknown key tunnel: did you mean tunnels\?/,
    ],
    [
      'a value of the wrong kind',
      '[tunnels.a]\nssh = "h"\n[tunnels.b]\nagent-port = "9001"\n',
      /:4: agent-port in \[tunnels\.b\] takes a number without quotes, not "9001"/,
    ],
    [
      'a text that is empty',
      '[tunnels.a]\nssh = ""\n',
      /:2: ssh in \[tunnels\.a\] must not be empty/,
    ],
    [
      'a tunnel that is no table',
      '[tunnels]\na = 1\n',
      /:2: a in \[tunnels\] takes a table, not 1/,
    ],
    [
      'a list of the wrong things',
      '[tunnels.a]\ndyno = 7\n',
      /:2: dyno in \[tunnels\.a\] takes a text or a list of texts, not 7/,
    ],
    [
      'a list with a wrong thing in it',
      '[tunnels.a]\ndyno = ["web", 1]\n',
      /:2: dyno in \[tunnels\.a\] takes a text or a list of texts, not a list of something else/,
    ],
    [
      'a list of tunnels',
      '# mine\n[[tunnels]]\nssh = "h"\n',
      /:2: tunnels takes a table for each tunnel, \[tunnels\.NAME\], not a list/,
    ],
    [
      'a tunnel that is a list',
      '[[tunnels.a]]\nssh = "h"\n',
      /:1: a in \[tunnels\] takes a table, not a list/,
    ],
    ...['__proto__', 'constructor', 'prototype'].map((name): [string, string, RegExp] => [
      `a tunnel that can't be called ${name}`,
      `\n[tunnels.${name}]\nssh = "h"\n`,
      new RegExp(`:2: ${name} can't be a tunnel's name in this file`),
    ]),
  ];
  for (const [what, text, says] of wrong) {
    it(`tells ${what}, with its line`, () => {
      assert.throws(() => parseConfiguration(PATH, text), {
        code: 'CONFIG_INVALID',
        message: says,
      });
    });
  }
});

describe('the line of a key', () => {
  const text = [
    'tunnels.dotted.ssh = "a"',
    '[tunnels . "my one"]',
    '  ssh = "b"',
    'inline = { ssh = "c", agent = "none" }',
    '[tunnels.last]',
    '"connect" = "d:1"',
  ].join('\n');

  const cases: [path: string[], line: number][] = [
    [['tunnels', 'dotted', 'ssh'], 1],
    [['tunnels', 'my one', 'ssh'], 3],
    [['tunnels', 'my one'], 2],
    [['tunnels', 'my one', 'inline', 'agent'], 4],
    [['tunnels', 'last', 'connect'], 6],
    [['tunnels', 'last', 'nowhere'], 5],
    [['elsewhere'], 1],
  ];
  for (const [path, line] of cases) {
    it(`${path.join(' / ')} is ${line}`, () => {
      assert.equal(lineOfKey(text, path), line);
    });
  }
});
