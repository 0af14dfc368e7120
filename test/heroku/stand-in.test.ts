import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { makeSshKeys } from '../../src/heroku/keys.ts';
import type { StandInApp } from '../support/heroku/app.ts';
import { namespacesMissing } from '../support/heroku/namespace.ts';
import { type Failure, HerokuStandIn } from '../support/heroku/stand-in.ts';
import { tempFolder } from '../support/temp-folder.ts';

const PROGRAM = path.join(import.meta.dirname, 'stand-in-client.ts');

const missing = namespacesMissing();
const left = missing === undefined ? '' : ` (left out: ${missing})`;

describe(`the way into a dyno of the stand-in${left}`, () => {
  const home = tempFolder();
  let heroku: HerokuStandIn;
  let app: StandInApp;

  before(async function () {
    if (missing !== undefined) this.skip();
    heroku = await HerokuStandIn.start();
    app = heroku.addApp('my-app');
    await app.scaleUp('web.1');
  });
  afterEach(() => {
    if (missing !== undefined) return;
    heroku.heal();
    app.execEnabled = true;
  });
  after(async () => {
    if (missing === undefined) await heroku.stop();
  });

  const visit = async (
    selector = 'web.1',
    env: Record<string, string | undefined> = {},
    name = 'my-app',
  ): Promise<Record<string, unknown>> => {
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      ['--import', 'tsx', PROGRAM, name, selector],
      { env: { PATH: process.env['PATH'], HOME: home.path, ...heroku.env, ...env } },
    );
    assert.ok(!`${stdout}${stderr}`.includes(heroku.token));
    return JSON.parse(stdout) as Record<string, unknown>;
  };

  it('leads there, and after a restart into the new dyno', async () => {
    for (let life = 0; life < 2; life += 1) {
      const dyno = app.dynos.get('web.1');
      assert.deepEqual(await visit('web'), {
        wanted: [{ name: 'web.1', id: dyno?.id }],
        registered: ['web.1'],
        hostName: dyno?.hostName,
        exit: { code: 7 },
      });
      if (life === 0) await app.restart('web.1');
    }
  });

  it('takes the key from ~/.netrc', async () => {
    const { host } = new URL(heroku.url);
    const entry = `machine ${host}\n  login dev@example.com\n  password ${heroku.token}\n`;
    writeFileSync(path.join(home.path, '.netrc'), entry);
    assert.equal((await visit('web.1', { HEROKU_API_KEY: undefined }))['code'], undefined);
  });

  it('leads there though each service fails three times', async () => {
    for (const route of ['GET /apps/my-app/dynos', 'PUT /api/v2']) {
      heroku.fail(route, { status: 503, times: 3 });
    }
    assert.equal((await visit())['code'], undefined);
  });

  const failures: [what: string, route: string, failure: Failure, code: string][] = [
    ['the platform is out of order', 'GET /apps', { status: 503 }, 'HEROKU_UNAVAILABLE'],
    ['the manager is out of order', 'PUT /api/v2', { status: 502 }, 'HEROKU_UNAVAILABLE'],
    ['the manager breaks connections', 'PUT /api/v2', { drop: true }, 'HEROKU_UNAVAILABLE'],
    ['the manager refuses the key', 'PUT /api/v2', { status: 401 }, 'HEROKU_AUTH_REFUSED'],
    ['the platform forbids it', 'GET /apps', { status: 403 }, 'HEROKU_FORBIDDEN'],
    [
      'it has been asked too often',
      'GET /apps',
      { status: 429, headers: { 'retry-after': '3600' } },
      'HEROKU_RATE_LIMITED',
    ],
  ];
  for (const [what, route, failure, code] of failures) {
    it(`ends with ${code} when ${what}`, async () => {
      heroku.fail(route, failure);
      assert.equal((await visit())['code'], code);
    });
  }

  it('ends with words of its own for each thing that is not there', async () => {
    assert.equal(
      (await visit('web.1', { HEROKU_API_KEY: 'wrong' }))['code'],
      'HEROKU_AUTH_REFUSED',
    );
    assert.equal(
      (await visit('web.1', { HEROKU_API_KEY: undefined }))['code'],
      'HEROKU_AUTH_MISSING',
    );
    assert.equal((await visit('web.1', {}, 'no-app'))['code'], 'APP_NOT_FOUND');
    assert.equal((await visit('clock'))['code'], 'DYNO_NOT_FOUND');
    app.execEnabled = false;
    assert.equal((await visit())['code'], 'EXEC_DISABLED');
  });

  it('ends with DYNO_NOT_RUNNING when the dyno has crashed', async () => {
    const dyno = app.dynos.get('web.1');
    assert.ok(dyno);
    dyno.state = 'crashed';
    assert.equal((await visit())['code'], 'DYNO_NOT_RUNNING');
    dyno.state = 'up';
  });

  it('ends with HOST_KEY_MISMATCH when another server answers', async () => {
    const dyno = app.dynos.get('web.1');
    assert.ok(dyno);
    const line = dyno.sshd.knownHostsLine;
    const { publicKey } = await makeSshKeys();
    Object.defineProperty(dyno.sshd, 'knownHostsLine', {
      configurable: true,
      value: `host ${publicKey}`,
    });
    assert.equal((await visit())['code'], 'HOST_KEY_MISMATCH');
    Object.defineProperty(dyno.sshd, 'knownHostsLine', { configurable: true, value: line });
  });
});

describe('an app of the stand-in that Exec does not lead into', () => {
  // Neither needs a dyno.
  const apps = [
    ['fir', { generation: 'fir' as const }, 'EXEC_UNSUPPORTED'],
    ['shield', { space: { shield: true } }, 'EXEC_UNSUPPORTED'],
    ['space', { space: { shield: false } }, 'EXEC_NEEDS_BUILDPACK'],
    ['empty', {}, 'DYNO_NOT_RUNNING'],
  ] as const;
  for (const [name, options, code] of apps) {
    it(`is told as ${code}: ${name}`, async () => {
      const heroku = await HerokuStandIn.start();
      heroku.addApp(name, options);
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ['--import', 'tsx', PROGRAM, name, 'web'],
        { env: { PATH: process.env['PATH'], HOME: '/nonexistent', ...heroku.env } },
      );
      await heroku.stop();
      assert.equal((JSON.parse(stdout) as { code: string }).code, code);
    });
  }
});
