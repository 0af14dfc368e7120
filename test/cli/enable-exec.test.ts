import assert from 'node:assert/strict';
import { stripVTControlCharacters } from 'node:util';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { CliHome } from '../support/cli.ts';
import { EPMUX } from '../support/dyno.ts';
import type { StandInApp } from '../support/heroku/app.ts';
import { HerokuStandIn } from '../support/heroku/stand-in.ts';
import { inTerminal, type } from '../support/terminal.ts';
import { leading, prod } from './commands-support.ts';

const CTRL_C = '\u0003';
const CTRL_D = '\u0004';

describe('the question before Heroku Exec is enabled', function () {
  this.timeout(30_000);
  let heroku: HerokuStandIn;
  let app: StandInApp;
  let home: CliHome;

  before(async () => {
    heroku = await HerokuStandIn.start();
    app = heroku.addApp('my-app');
  });
  beforeEach(async () => {
    app.execEnabled = false;
    heroku.requests.length = 0;
    home = await CliHome.make();
    await home.daemon({
      up(_params, call) {
        call.progress('asking Heroku about my-app');
        if (app.execEnabled) return { alreadyUp: false, tunnel: prod, leading };
        throw new EpmuxError('EXEC_DISABLED', 'Heroku Exec is off for my-app');
      },
    });
  });
  afterEach(() => home.remove());
  after(() => heroku.stop());

  const answering = async (text: string): Promise<{ code: number | null; said: string }> => {
    const env = { ...home.env, ...heroku.env, TERM: 'xterm' };
    const terminal = inTerminal([...EPMUX, 'up', '-a', 'my-app'], { cwd: home.folder, env });
    type(terminal, [{ after: /\[y\/N\] /, text }]);
    const { code, said } = await terminal.ended;
    return { code, said: stripVTControlCharacters(said) };
  };

  for (const [what, text, exit] of [
    ['n', 'n\n', 2],
    ['Enter', '\n', 2],
    ['Ctrl-D', CTRL_D, 2],
    ['Ctrl-C', CTRL_C, 130],
  ] as const) {
    it(`changes nothing after ${what}`, async () => {
      const { code, said } = await answering(text);
      assert.equal(code, exit, said);
      assert.match(said, /✔ asking Heroku about my-app\r?\n.*ALL its dynos are restarted/);
      assert.doesNotMatch(said, /✖/, 'Heroku has answered');
      if (exit === 2) assert.match(said, /\nepmux: .*\(EXEC_DISABLED\)/, 'on a line of its own');
      assert.deepEqual(heroku.requests, []);
      assert.equal(app.execEnabled, false);
    });
  }

  // The app has no dyno that would have to restart.
  it('enables it and goes on after y', async () => {
    const { code, said } = await answering('y\n');
    assert.equal(code, 0, said);
    assert.match(said, /✔ enabling Heroku Exec/);
    const changes = heroku.requests.filter((request) => !request.startsWith('GET'));
    assert.deepEqual(changes, ['PATCH /apps/my-app/features/runtime-heroku-exec']);
  });

  it('is followed by how far it got when it is interrupted', async () => {
    heroku.fail('PATCH', { silence: true });
    const env = { ...home.env, ...heroku.env, TERM: 'xterm' };
    const argv = [...EPMUX, 'up', '-a', 'my-app', '--yes'];
    const terminal = inTerminal(argv, { cwd: home.folder, env });
    type(terminal, [{ after: /enabling Heroku Exec/, text: CTRL_C }]);
    const { code, said } = await terminal.ended;
    heroku.heal();
    assert.equal(code, 130);
    const told = stripVTControlCharacters(said);
    assert.match(told, /✖ enabling Heroku Exec\r?\n/);
    assert.match(
      told,
      /whether Heroku Exec is on for my-app by now is not known: .*\(INTERRUPTED\)/,
    );
    assert.match(told, /\nhint: `heroku features -a my-app` shows it/);
  });

  it('is enabled by the name of a tunnel that the file has', async () => {
    await home.write('epmux.toml', '[tunnels.prod]\napp = "my-app"\ndyno = "web.1"');
    for (const words of [['up'], ['up', 'prod']]) {
      const { code, stderr } = await home.run(words, { env: heroku.env });
      assert.equal(code, 2);
      assert.match(stderr, /\(EXEC_DISABLED\)\nhint: run `epmux up prod --yes`: /);
    }
  });

  it('is not asked where nobody sits: it changes nothing', async () => {
    const run = await home.run(['up', '-a', 'my-app'], { env: heroku.env });
    assert.equal(run.code, 2);
    assert.doesNotMatch(run.stderr, /\[y\/N\]/);
    assert.deepEqual(heroku.requests, []);
  });
});
