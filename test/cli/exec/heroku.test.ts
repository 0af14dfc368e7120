import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { shellQuoted } from '../../../src/runtime/programs.ts';
import { CliHome, type CliRun, outcome } from '../../support/cli.ts';
import { EPMUX } from '../../support/dyno.ts';
import type { StandInApp } from '../../support/heroku/app.ts';
import { namespacesMissing } from '../../support/heroku/namespace.ts';
import { HerokuStandIn } from '../../support/heroku/stand-in.ts';

const missing = namespacesMissing();
const GREETING = 'it\'s\na $HOME `x` "q" \\n é';
const SECRET = 'postgres://s3cret';

describe(`epmux exec --app${missing === undefined ? '' : ` (left out: ${missing})`}`, function () {
  this.timeout(40_000);
  let heroku: HerokuStandIn;
  let app: StandInApp;
  let home: CliHome;

  before(async function () {
    if (missing !== undefined) return this.skip();
    heroku = await HerokuStandIn.start();
    const refused = { UID: '7', '\u001b]52;c;x\u0007 \u202ey': 'no name' };
    const configVars = {
      GREETING,
      DATABASE_URL: SECRET,
      LONG: 'x'.repeat(20_000),
      ...refused,
    };
    app = heroku.addApp('my-app', { configVars });
    await Promise.all(['web.1', 'worker.1'].map((name) => app.scaleUp(name)));
    home = await CliHome.make();
    Object.assign(home.env, heroku.env);
  });
  after(async () => {
    await home?.remove();
    await heroku?.stop();
  });

  const run = (args: readonly string[], stdin?: string): Promise<CliRun> =>
    home.run(['exec', '-a', 'my-app', ...args], stdin === undefined ? {} : { stdin });
  const hostOf = (dyno: string): string => `${app.dynos.get(dyno)?.hostName}\n`;

  it('runs in web.1, or in the dyno that is named, and exits with the code of the command', async () => {
    const first = await run(['--', 'hostname; exit 7']);
    assert.deepEqual(first, { code: 7, stdout: hostOf('web.1'), stderr: '' });
    assert.equal((await run(['-d', 'worker', '--', 'hostname'])).stdout, hostOf('worker.1'));
  });

  it('asks for the command along with the way in', async () => {
    const { code, stderr } = await run(['--log-level', 'debug', '--', 'exit 7']);
    assert.equal(code, 7);
    assert.match(stderr, /a channel came along with the way in/);
  });

  it('shows which dynos have Exec running', async () => {
    const { code, stdout } = await run(['--status']);
    assert.deepEqual(
      [code, stdout],
      [0, 'web.1     up  exec running\nworker.1  up  exec running\n'],
    );
    const { stdout: json } = await run(['--status', '--json', '-d', 'web']);
    assert.deepEqual(JSON.parse(json), {
      app: 'my-app',
      dynos: [{ name: 'web.1', type: 'web', state: 'up', exec: true }],
    });
  });

  it('gives the config vars to the command, byte for byte before its stdin, and to no argument list', async () => {
    const line =
      'printf "%s|" "$GREETING" "$(printf %s "$LONG" | wc -c)"; ps -eo args | grep -c "[s]3cret"; cat';
    const { stdout, stderr } = await run(['--env', '--pipe', line], 'stdin');
    assert.equal(stdout, `${GREETING}|20000|0\nstdin`);
    assert.match(stderr, /^warning: the config var UID is left out/);
    assert.match(stderr, /\nwarning: the config var \uFFFD\]52;c;x\uFFFD \uFFFDy is left out/);
    assert.ok(!stderr.includes(SECRET));
  });

  it('gives them to a shell in a terminal, and shows none of them', async () => {
    const words = [...EPMUX, 'exec', '-a', 'my-app', '--env'].map(shellQuoted).join(' ');
    const child = spawn('script', ['-qec', `stty rows 33 cols 101; ${words}`, '/dev/null'], {
      env: { ...home.env, SHELL: '/bin/sh', TERM: 'vt100' },
    });
    let seen = '';
    child.stdout.on('data', (chunk: Buffer) => {
      const before = seen.includes('# ');
      seen += chunk.toString();
      if (!before && seen.includes('# ')) {
        child.stdin.write(
          'stty size; stty -a | grep -o " echo "; echo $(printf %s "$LONG" | wc -c) "$GREETING"; exit 5\n',
        );
      }
    });
    const { code } = await outcome(child, words);
    assert.equal(code, 5, seen);
    assert.match(seen, /33 101\r\n echo \r\n20000 it's\r\na \$HOME/);
    assert.ok(!seen.includes(SECRET) && !seen.includes('<epmux'), seen);
  });

  it('changes nothing when Exec is off and nobody can be asked', async () => {
    app.execEnabled = false;
    const { code, stderr } = await run(['--', 'true']);
    app.execEnabled = true;
    assert.equal(code, 2);
    assert.match(stderr, /\(EXEC_DISABLED\)\nhint: .*`epmux exec -a my-app --yes`/);
    assert.ok(!heroku.requests.some((request) => /^(PATCH|DELETE)/.test(request)));
  });

  const failures: [what: string, args: string[], code: number, text: RegExp][] = [
    ['a dyno that is not there', ['-d', 'web.9', '--', 'true'], 4, /DYNO_NOT_FOUND/],
    ['several dynos', ['-d', 'web.1', '-d', 'worker.1', '--', 'true'], 2, /exec runs in one dyno/],
  ];
  for (const [what, args, code, text] of failures) {
    it(`says what is wrong with ${what}`, async () => {
      const result = await run(args);
      assert.equal(result.code, code);
      assert.match(result.stderr, text);
    });
  }

  it('runs over the connection of a tunnel that is up, without asking Heroku', async () => {
    const { erlang } = app.dynos.get('web.1') ?? assert.fail();
    await erlang.node('app');
    const up = await home.run(['up', '-a', 'my-app', '-d', 'web.1', '--agent', 'none']);
    assert.equal(up.code, 0, up.stderr);
    const asked = () => heroku.requests.filter((request) => !request.endsWith('/dynos')).length;
    const before = asked();
    const result = await run(['--', 'hostname; echo err >&2; exit 7']);
    assert.deepEqual(result, { code: 7, stdout: hostOf('web.1'), stderr: 'err\n' });
    assert.equal(asked(), before);
    assert.equal((await run(['-d', 'worker.1', '--', 'hostname'])).stdout, hostOf('worker.1'));
    assert.ok(asked() > before);
    const named = await home.run(['exec', 'my-app', '--', 'hostname']);
    assert.equal(named.stdout, hostOf('web.1'), named.stderr);
    const unnamed = await home.run(['exec', '--', 'hostname']);
    assert.equal(unnamed.stdout, hostOf('web.1'), unnamed.stderr);
    assert.equal((await home.run(['down'])).code, 0);
  });
});
