import { createLineLogger } from '../../../src/agent/line-logger.ts';
import { splitLine } from '../../../src/cli/completion/complete.ts';
import { parseConfiguration } from '../../../src/cli/config/file.ts';
import { lineOfKey } from '../../../src/cli/config/lines.ts';
import { parseFacts } from '../../../src/cli/doctor/facts.ts';
import { printable as forTerminal } from '../../../src/cli/terminal/printable.ts';
import { tunnelSpec } from '../../../src/cli/way/spec.ts';
import {
  App,
  Buildpacks,
  ConfigVars,
  checked,
  Dynos,
  Feature,
  Reservation,
  Reservations,
} from '../../../src/heroku/answers.ts';
import { appOfUrl, parseRemotes } from '../../../src/heroku/git-remote.ts';
import { netrcEntry } from '../../../src/heroku/netrc.ts';
import { MAX_TEXT_BYTES } from '../../../src/protocol/constants.ts';
import { EpmuxError } from '../../../src/protocol/errors.ts';
import { encodeTextWithin, printable } from '../../../src/protocol/text.ts';
import { wireError } from '../../../src/protocol/wire-codes.ts';
import {
  hostKeyType,
  judgeHostKey,
  knownKeyTypes,
  parseKnownHosts,
} from '../../../src/transport/ssh/known-hosts.ts';
import { ascii, hold, type Target, whole } from '../target.ts';

const text = (input: Uint8Array): string => Buffer.from(input).toString('utf8');

const configuration: Target = {
  name: 'configuration',
  errors: ['CONFIG_INVALID', 'USAGE'],
  whole: true,
  framing: 'lines',
  seeds: [
    '[tunnels.prod]\nssh = "me@host:22"\nhidden-only = true\nagent-port = 9001\n',
    '[tunnels."a b"]\nconnect = "[::1]:9001"\nvia = "socks5://u:p@h:1"\n',
    '[tunnels.x]\napp = "my-app"\ndyno = ["web.1", "worker"]\n',
    '[tunnels.y]\ncommand = """\n[  x  ]\na.b = 1\n"""\nagent = "requir"\n',
    'tunnels = { z = { conect = 1 } }\n[__proto__]\nx = 1\n',
    '[tunnels.w]\nagent-port = 1e400\nconnect = 1979-05-27T07:32:00Z\n',
  ].map(ascii),
  open: whole((input, told) => {
    const source = text(input);
    const found = parseConfiguration('epmux.toml', source);
    told.fact(found);
    const line = lineOfKey(source, ['tunnels', 'prod', 'ssh']);
    hold(line >= 1 && line <= source.split('\n').length, 'a line that is not there');
    for (const [name, way] of Object.entries(found.tunnels)) {
      // Files are not looked for: whether one is there is not the text's doing.
      const { identity: _i, 'secret-file': _s, 'cookie-file': _c, ...apart } = way;
      told.fact(tunnelSpec(name, apart, (key) => key));
    }
  }),
};

const KEY = 'AAAAC3NzaC1lZDI1NTE5AAAAIGJvZ3VzIGtleSBmb3IgdGVzdHMgb25seSE=';

const knownHosts: Target = {
  name: 'known-hosts',
  errors: [],
  whole: true,
  framing: 'lines',
  seeds: [
    `host ssh-ed25519 ${KEY}\n[host]:2222,*.example.com,!bad ssh-rsa ${KEY} comment\n`,
    `@revoked * ssh-ed25519 ${KEY}\n@cert-authority *.x ssh-rsa ${KEY}\n# comment\n`,
    `|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= ssh-ed25519 ${KEY}\n`,
    `${'*a'.repeat(20)} ssh-ed25519 ${KEY}\n|1|\n|2|x|y ssh-rsa AAAA\n`,
  ].map(ascii),
  open: whole((input, told) => {
    const entries = parseKnownHosts(text(input), 'known_hosts');
    for (const host of ['host', 'a'.repeat(60), 'x.example.com']) {
      const address = { host, port: 22 };
      told.fact(judgeHostKey(entries, address, Buffer.from(KEY, 'base64')).kind);
      told.fact(knownKeyTypes(entries, address));
    }
    for (const { key } of entries) hold(hostKeyType(key).length <= 64, 'a long type of key');
  }),
};

const netrc: Target = {
  name: 'netrc',
  errors: [],
  whole: true,
  framing: 'lines',
  seeds: [
    'machine api.heroku.com login me password "p\\"w"\nmachine other login x\n',
    'default login a password b\nmacdef init\ncd /\n\nmachine api.heroku.com\n\tpassword key\n',
    '# machine api.heroku.com\n"machine" api.heroku.com account z\n',
  ].map(ascii),
  open: whole((input, told) => {
    const entry = netrcEntry(text(input), 'api.heroku.com');
    told.fact(entry ?? null);
    for (const value of [entry?.login, entry?.password]) {
      hold((value ?? '').length <= text(input).length, 'more of a value than there was text');
    }
  }),
};

const HOSTS = { ssh: 'heroku.com', https: 'git.heroku.com' };

const gitRemotes: Target = {
  name: 'git-remotes',
  errors: [],
  whole: true,
  framing: 'lines',
  seeds: [
    'heroku\thttps://git.heroku.com/my-app.git (fetch)\nheroku\thttps://x@git.heroku.com/a.git (push)\n',
    'a\tgit@heroku.com:my-app.git (fetch)\nb\tssh://git@heroku.com:22/b.git (fetch) [blob:none]\n',
  ].map(ascii),
  open: whole((input, told) => {
    for (const { url } of parseRemotes(text(input))) {
      const app = appOfUrl(url, HOSTS);
      hold(app === undefined || !/[\s/]/.test(app), 'an app that leads elsewhere');
      told.fact(app ?? null);
    }
  }),
};

const answers: Target = {
  name: 'heroku-answers',
  errors: ['HEROKU_ANSWER_INVALID'],
  whole: true,
  seeds: [
    { id: '1', name: 'a', generation: { name: 'fir' }, space: { name: 's' }, build_stack: null },
    [{ id: '1', name: 'web.1', type: 'web', state: 'up' }],
    { KEY: 'value', __proto__: {} },
    { enabled: true },
    [{ buildpack: { url: null } }],
    { tunnel_host: 'h:1', client_user: 'u', proxy_public_key: `ssh-rsa ${KEY} x` },
    [{ dyno_name: 'web.1' }],
  ].map((value) => ascii(JSON.stringify(value))),
  open: whole((input, told) => {
    const value: unknown = (() => {
      try {
        return JSON.parse(text(input));
      } catch {
        return undefined;
      }
    })();
    const schemas = [App, Dynos, ConfigVars, Feature, Buildpacks, Reservation, Reservations];
    for (const schema of schemas) {
      try {
        told.fact(checked<unknown>(schema, value, 'a test'));
      } catch (error) {
        if (!(error instanceof EpmuxError)) throw error;
        told.fact(error.code);
      }
    }
  }),
};

const facts: Target = {
  name: 'doctor-facts',
  errors: ['EXEC_REFUSED'],
  whole: true,
  framing: 'lines',
  seeds: [
    'node v20.1.0 /usr/bin/node\nbeam 12\nbindir /opt/erts-13.1.5/bin\nshort app\ncookie RELEASE_COOKIE\nreadable yes\nlisten 0100007F:2329\nlisten 00000000000000000000000001000000:0050\nend\n',
    'listen x\nbeam\nlong a@b\nend\n',
  ].map(ascii),
  open: whole((input, told) => {
    const found = parseFacts(text(input));
    for (const { port } of found.listeners ?? []) hold(port > 0 && port < 65_536, 'no port');
    for (const { pid } of found.beams) hold(Number.isSafeInteger(pid) && pid >= 0, 'no pid');
    told.fact(found);
  }),
};

/** Whatever another end says: no terminal takes a command from it, no log a second line. */
const shown: Target = {
  name: 'shown-text',
  errors: [],
  whole: true,
  seeds: [
    ascii('plain text'),
    ascii('\x1b]0;title\x07\x1b[2J\u009b31m\u202eevil\u2028line\r\n epmux: done'),
    ascii('\u{E0001}\ud83d\ude00'),
  ],
  open: whole((input, told) => {
    const said = text(input);
    const line: string[] = [];
    createLineLogger('debug', (entry) => line.push(entry)).info('x', { said });
    const outputs = {
      terminal: forTerminal(said),
      wire: printable(said),
      error: wireError({ code: 1, text: said }).message,
      log: (line[0] ?? '').replace(/\n$/, ''),
    };
    for (const [where, output] of Object.entries(outputs)) {
      hold(!/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u.test(output), `it reaches: ${where}`);
    }
    hold(encodeTextWithin(said, MAX_TEXT_BYTES).length <= MAX_TEXT_BYTES, 'a text over the cap');
    told.fact(splitLine(said));
  }),
};

export const TEXT_TARGETS: readonly Target[] = [
  configuration,
  knownHosts,
  netrc,
  gitRemotes,
  answers,
  facts,
  shown,
];
