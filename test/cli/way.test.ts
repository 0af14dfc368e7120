import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { WayInput } from '../../src/cli/way/options.ts';
import { planTunnel } from '../../src/cli/way/plan.ts';
import { CliHome } from '../support/cli.ts';

describe('the tunnel that up is about', () => {
  let home: CliHome;
  beforeEach(async () => {
    home = await CliHome.make();
  });
  afterEach(() => home.remove());

  const plan = (name: string | undefined, input: WayInput, cwd = home.folder) =>
    planTunnel(name, input, cwd, { HOME: home.folder, XDG_CONFIG_HOME: join(home.folder, 'xdg') });

  const refused = (name: string | undefined, input: WayInput, code: string, message: RegExp) =>
    assert.rejects(plan(name, input), { code, message });

  it('comes from the command line with defaults', async () => {
    assert.deepEqual(await plan(undefined, { ssh: 'deploy@example.com' }), {
      name: 'example.com',
      way: { kind: 'ssh', user: 'deploy', host: 'example.com', port: 22 },
      agent: 'auto',
      agentPort: 9001,
      hiddenOnly: false,
    });
  });

  it('is called after its way unless it is named', async () => {
    assert.equal((await plan(undefined, { connect: 'localhost:9001' })).name, 'localhost:9001');
    assert.equal(
      (await plan(undefined, { command: '/usr/bin/kubectl exec -i app' })).name,
      'kubectl',
    );
    assert.equal((await plan('prod', { connect: 'localhost:9001' })).name, 'prod');
  });

  it('has no secret of its command in its name', async () => {
    const command = 'KUBE_TOKEN=hunter2 kubectl exec -i app';
    assert.equal((await plan(undefined, { command })).name, 'sh');
  });

  it('refuses names that are no word', async () => {
    for (const name of ['a b', '../x', '.', '-x', 'x\u0007', 'x'.repeat(65)]) {
      await refused(name, { connect: 'h:1' }, 'USAGE', /can't be a tunnel's name/);
    }
  });

  it('leads exactly one way', async () => {
    await refused(undefined, {}, 'USAGE', /not said where/);
    await refused(undefined, { ssh: 'h', connect: 'h:1' }, 'USAGE', /^--ssh and --connect exclude/);
    await refused(
      undefined,
      { connect: 'h:1', identity: 'x' },
      'USAGE',
      /^--identity goes with --ssh/,
    );
    await refused(
      undefined,
      { command: 'c', via: 'socks5://h' },
      'USAGE',
      /^--via goes with --app, --ssh, --connect$/,
    );
    await refused(undefined, { command: ' ' }, 'USAGE', /^--command takes a command/);
  });

  it('to Heroku names the app and its dynos, each once', async () => {
    const spec = await plan(undefined, { app: 'my-app', dyno: ['web.1', 'worker', 'web.1'] });
    assert.equal(spec.name, 'my-app');
    assert.deepEqual(spec.way, { kind: 'heroku', app: 'my-app', dynos: ['web.1', 'worker'] });
    await refused(
      undefined,
      { app: 'My App' },
      'USAGE',
      /^--app takes an app's name, not "My App"/,
    );
    await refused(undefined, { app: 'x', dyno: ['web/1'] }, 'USAGE', /^--dyno takes a dyno/);
    await refused(undefined, { app: 'x', ssh: 'h' }, 'USAGE', /^--app and --ssh exclude/);
    await refused(undefined, { app: 'x', remote: 'y' }, 'USAGE', /^--app and --remote exclude/);
    await refused(undefined, { ssh: 'h', dyno: ['web'] }, 'USAGE', /^--dyno goes with --app only/);
    await refused(undefined, { remote: 'y' }, 'USAGE', /in no git repository/);
  });

  it('to Heroku is that of the git remote when nothing else is said', async () => {
    const git = (...args: string[]) => execFileSync('git', ['-C', home.folder, ...args]);
    git('init', '-q');
    git('remote', 'add', 'heroku', 'https://git.heroku.com/my-app.git');
    git('remote', 'add', 'staging', 'git@heroku.com:my-app-staging.git');
    const app = async (input: WayInput) => {
      const { way } = await plan(undefined, input);
      return way.kind === 'heroku' ? [way.app, ...way.dynos] : way;
    };
    assert.deepEqual(await app({}), ['my-app']);
    assert.deepEqual(await app({ dyno: ['web'] }), ['my-app', 'web']);
    assert.deepEqual(await app({ remote: 'staging' }), ['my-app-staging']);
    await refused(undefined, { remote: 'nope' }, 'APP_NOT_FOUND', /no git remote nope/);
    git('remote', 'rename', 'heroku', 'production');
    await assert.rejects(plan(undefined, {}), {
      code: 'USAGE',
      message: /Several git remotes .* production \(my-app\), staging \(my-app-staging\)/,
      hint: /^give -a APP, -r REMOTE, /,
    });
    await home.write('epmux.toml', '[tunnels.prod]\nremote = "staging"\ndyno = "web.1"');
    assert.deepEqual(await app({}), ['my-app-staging', 'web.1']);
    assert.deepEqual(await app({ dyno: ['worker'] }), ['my-app-staging', 'worker']);
  });

  it('takes ports and choices in their ranges only', async () => {
    await refused(
      undefined,
      { ssh: 'h', 'agent-port': '0' },
      'USAGE',
      /^--agent-port takes a port/,
    );
    await refused(
      undefined,
      { ssh: 'h', agent: 'al' },
      'USAGE',
      /^--agent takes auto, require, none/,
    );
  });

  it('has absolute paths of files that are there', async () => {
    const key = await home.write('keys/id', 'k');
    const spec = await plan(undefined, { ssh: 'h', identity: 'keys/id', 'secret-file': key });
    assert.equal(spec.way.kind === 'ssh' && spec.way.identityFile, key);
    assert.equal(spec.secretFile, key);
    await refused(
      undefined,
      { ssh: 'h', identity: 'nope' },
      'USAGE',
      /can't read .*nope: there is no/,
    );
    await refused(undefined, { ssh: 'h', 'cookie-file': 'keys' }, 'USAGE', /no ordinary file/);
  });

  it('takes no text that is longer than the daemon takes', async () => {
    const long = 'x'.repeat(70_000);
    await refused(undefined, { command: long }, 'USAGE', /^--command takes .* at most 65536/);
    await refused(undefined, { app: long }, 'USAGE', /^--app takes a name of at most 255/);
    const via = `socks5://p/?${long}`;
    await refused(
      undefined,
      { connect: 'h:1', via },
      'USAGE',
      /^--via takes a URL of at most 1024/,
    );
    const dynos = { app: 'my-app', dyno: [long] };
    await refused(undefined, dynos, 'USAGE', /^--dyno takes a name of at most 255/);
    const many = Array.from({ length: 101 }, (_, at) => `web.${at}`);
    await refused(undefined, { app: 'my-app', dyno: many }, 'USAGE', /^--dyno may .* 100 times/);
  });

  for (const [what, text] of [
    ['nothing', ' \n'],
    ['two lines', 'one\ntwo\n'],
    ['too much', 'c'.repeat(256)],
  ] as const) {
    it(`takes no cookie from a file with ${what}`, async () => {
      await home.write('cookie', text);
      const input = { connect: 'h:1', 'cookie-file': 'cookie' };
      await refused(undefined, input, 'USAGE', /\/cookie holds no cookie: one line of 1 to 255 /);
    });
  }

  describe('from a configuration file', () => {
    it('is found in the folder, in a parent, in the user’s own', async () => {
      await home.write('xdg/epmux/config.toml', '[tunnels.mine]\nconnect = "h:1"');
      assert.equal((await plan('mine', {})).name, 'mine');
      await home.write('project/epmux.toml', '[tunnels.prod]\nconnect = "h:1"');
      await home.write('project/deep/down/x', '');
      const deep = join(home.folder, 'project/deep/down');
      assert.equal((await plan('prod', {}, deep)).name, 'prod');
      assert.equal((await plan(undefined, {}, deep)).name, 'prod', 'the only one needs no name');
    });

    it('has paths relative to the file and in the home folder', async () => {
      await home.write('project/secret', 's'.repeat(16));
      await home.write('project/epmux.toml', '[tunnels.prod]\nssh = "h"\nsecret-file = "secret"');
      await home.write('project/deep/x', '');
      const spec = await plan('prod', {}, join(home.folder, 'project/deep'));
      assert.equal(spec.secretFile, join(home.folder, 'project/secret'));
    });

    it('is overruled by what the command line says beside the way', async () => {
      const toml = '[tunnels.prod]\nssh = "h"\nagent = "none"\nagent-port = 1\nhidden-only = true';
      await home.write('epmux.toml', toml);
      const spec = await plan('prod', { agent: 'require', 'agent-port': '2' });
      assert.deepEqual([spec.agent, spec.agentPort, spec.hiddenOnly], ['require', 2, true]);
    });

    it('is left alone when the command line names a way', async () => {
      await home.write('epmux.toml', 'this is no TOML');
      assert.equal((await plan('prod', { connect: 'h:1' })).hiddenOnly, false);
    });

    it('has to be named when there are several, and spelt right', async () => {
      const toml = '[tunnels.prod]\nconnect = "h:1"\n[tunnels.staging]\nconnect = "h:2"';
      await home.write('epmux.toml', toml);
      await refused(undefined, {}, 'USAGE', /several tunnels are configured/);
      await refused('prud', {}, 'TUNNEL_NOT_FOUND', /no tunnel prud .*did you mean prod\?/);
    });

    for (const [line, wrong, says] of [
      [2, 'connect = "h"', /connect in \[tunnels\.prod\] takes host:port/],
      [3, 'connect = "h:1"\nagent-port = 1.5', /agent-port .* takes a port .*not "1\.5"/],
      [3, 'connect = "h:1"\nepmd-port = 0', /epmd-port .* takes a port/],
      [2, 'agent = "sometimes"\nconnect = "h:1"', /agent .* takes auto, require, none/],
      [3, 'ssh = "h"\nidentity = "nope"', /can't read .*nope: there is no such file/],
      [3, 'connect = "h:1"\nsecret-file = "nope"', /can't read .*nope/],
      [3, 'connect = "h:1"\ncookie-file = "nope"', /can't read .*nope/],
      [3, 'app = "my-app"\ndyno = ["web", "a b"]', /dyno .* takes a dyno .*not "a b"/],
      [3, 'connect = "h:1"\nvia = "http://p"', /via in .* takes socks5:/],
      [2, 'connect = "h:1"\nssh = "h"', /ssh in .* and connect in .* exclude each other/],
      [3, 'connect = "h:1"\nidentity = "x"', /identity in .* goes with ssh/],
      [3, 'app = "my-app"\nremote = "heroku"', /app in .* and remote in .* exclude each other/],
      [1, '', /it is not said where the tunnel leads/],
    ] as const) {
      it(`tells its own mistakes with file and line: ${wrong || 'nothing'}`, async () => {
        await home.write('epmux.toml', `[tunnels.prod]\n${wrong}\n`);
        await assert.rejects(plan('prod', {}), {
          code: 'CONFIG_INVALID',
          message: new RegExp(`/epmux\\.toml:${line}: .*${says.source}`),
          hint: /^(?!.*--help)/,
        });
      });
    }

    it('tells a name that no tunnel can have with its line', async () => {
      await home.write('epmux.toml', '\n[tunnels."a b"]\nconnect = "h:1"');
      await refused(undefined, {}, 'CONFIG_INVALID', /epmux\.toml:2: "a b" can't be a tunnel's/);
      await refused('constructor', {}, 'TUNNEL_NOT_FOUND', /no tunnel constructor is configured/);
    });
  });
});
