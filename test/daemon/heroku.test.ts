import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import type { TunnelSpec } from '../../src/daemon/control/api.ts';
import type { ControlClient } from '../../src/daemon/control/client.ts';
import { HerokuApp } from '../../src/daemon/heroku-app.ts';
import { herokuSettings } from '../../src/heroku/settings.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { ScriptedServer } from '../heroku/support.ts';
import { connectSpec, DaemonFixture } from '../support/daemon-fixture.ts';
import { freePort } from '../support/erlang.ts';
import { makeCertificate } from '../support/heroku/certificate.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { tempFolder } from '../support/temp-folder.ts';

const TOKEN = 'HRKU-of-the-caller';

describe('a tunnel to Heroku', () => {
  const folder = tempFolder();
  let daemon: DaemonFixture;
  let client: ControlClient;
  let spec: TunnelSpec;

  beforeEach(async () => {
    // Nobody listens there: whatever asks Heroku fails at once.
    const url = `http://127.0.0.1:${await freePort()}`;
    daemon = new DaemonFixture(folder.path, { HEROKU_API_URL: url, HEROKU_EXEC_URL: url });
    spec = connectSpec(1, { way: { kind: 'heroku', app: 'my-app', dynos: [] } });
  });
  afterEach(() => daemon.stop());

  const start = async (): Promise<void> => {
    await daemon.start();
    client = await daemon.client();
  };

  /** With a tunnel that was up before. */
  const startAgain = async (was: TunnelSpec): Promise<void> => {
    const { stateFile } = daemon.paths;
    mkdirSync(dirname(stateFile), { recursive: true, mode: 0o700 });
    writeFileSync(stateFile, JSON.stringify({ schema: '1', tunnels: [was] }), { mode: 0o600 });
    await start();
  };

  /** A Heroku whose app has one dyno in this state, and a daemon that asks it. */
  const withWebDyno = async (state: string): Promise<ScriptedServer> => {
    const heroku = await ScriptedServer.start();
    heroku.answer(({ url = '' }, response) => {
      const dynos = [{ id: '1', name: 'web.1', type: 'web', state }];
      const app = { id: '1', name: 'my-app', enabled: true };
      const answer = { '/apps/my-app/dynos': dynos, '/apps/my-app/config-vars': {} }[url];
      response.end(JSON.stringify(answer ?? app));
    });
    const env = { HEROKU_API_URL: heroku.url, HEROKU_EXEC_URL: heroku.url };
    daemon = new DaemonFixture(folder.path, env);
    writeFileSync(join(folder.path, '.netrc'), 'machine 127.0.0.1 password KEY');
    return heroku;
  };

  it('comes back with the daemon, and waits for a key when there is none in ~/.netrc', async () => {
    await startAgain(spec);
    for (;;) {
      const { tunnels } = await client.call('status', {});
      if (tunnels[0]?.state !== 'failed') continue;
      assert.equal(tunnels[0].lastError?.code, 'HEROKU_AUTH_MISSING');
      assert.equal(tunnels[0].target, 'heroku://my-app');
      break;
    }
    const given = client.call('up', { spec, secrets: { herokuToken: TOKEN } });
    await assert.rejects(given, { code: 'HEROKU_UNAVAILABLE' }, 'the key that is given counts');
  });

  it('asks where the key that is given belongs, whatever the daemon was started with', async () => {
    const heroku = await ScriptedServer.start();
    heroku.answer((_, response) => response.writeHead(404).end('{}'));
    await start();
    const herokuVariables = { HEROKU_API_URL: heroku.url };
    const given = client.call('up', { spec, secrets: { herokuToken: TOKEN, herokuVariables } });
    await assert.rejects(given, { code: 'APP_NOT_FOUND' });
    await heroku.stop();
  });

  it('trusts whom the caller of up trusts, whatever the daemon was started with', async () => {
    const { caFile, ...own } = makeCertificate(folder.path);
    const heroku = createServer(own, (_request, response) => response.writeHead(404).end('{}'));
    heroku.listen(0, '127.0.0.1');
    await once(heroku, 'listening');
    const { port } = heroku.address() as AddressInfo;
    await start();
    const herokuVariables = { HEROKU_API_URL: `https://127.0.0.1:${port}` };
    const secrets = { herokuToken: TOKEN, herokuVariables };
    await assert.rejects(client.call('up', { spec, secrets }), { code: 'HEROKU_UNAVAILABLE' });
    const extraCaFile = join(folder.path, 'company.pem');
    const withFile = () => client.call('up', { spec, secrets: { ...secrets, extraCaFile } });
    await assert.rejects(withFile(), { code: 'CONFIG_INVALID', message: /company\.pem.*ENOENT/ });
    copyFileSync(caFile, extraCaFile);
    await assert.rejects(withFile(), { code: 'APP_NOT_FOUND' });
    heroku.closeAllConnections();
    heroku.close();
  });

  it('comes back to those of its dynos that are there', async () => {
    const heroku = await withWebDyno('up');
    await startAgain({ ...spec, way: { kind: 'heroku', app: 'my-app', dynos: ['web', 'worker'] } });
    for (;;) {
      const { tunnels } = await client.call('status', {});
      if (tunnels[0]?.links.length === 0) continue;
      assert.deepEqual(
        tunnels[0]?.links.map(({ dyno }) => dyno),
        ['web.1'],
      );
      break;
    }
    await heroku.stop();
  });

  it('whose dynos sleep says at once that Heroku can not be asked whether they still do', async () => {
    const heroku = await withWebDyno('idle');
    await startAgain(spec);
    for (;;) {
      const { tunnels } = await client.call('status', {});
      if (tunnels[0]?.lastError?.code === 'DYNO_NOT_RUNNING') break;
    }
    await heroku.stop();
    await assert.rejects(client.call('up', { spec, secrets: {} }), { code: 'HEROKU_UNAVAILABLE' });
  });

  it('writes the key of its caller nowhere', async () => {
    await start();
    const refused = client.call('up', { spec, secrets: { herokuToken: TOKEN } });
    await assert.rejects(refused, { code: 'HEROKU_UNAVAILABLE' });
    assert.equal(readFileSync(daemon.paths.logFile, 'utf8').includes(TOKEN), false);
  });

  it('begins with what its caller was told, which is written nowhere', async () => {
    await start();
    const app = { name: 'my-app', generation: 'cedar', space: undefined, stack: undefined };
    const configVars = { RELEASE_COOKIE: 'a secret of the app' };
    const ahead = {
      facts: { app, enabled: false, buildpacks: undefined, configVars },
      dynos: [],
      keys: { privateKey: 'a private key', publicKey: 'a public key' },
      reservations: {},
    };
    const refused = client.call('up', { spec, secrets: { herokuToken: TOKEN }, ahead });
    await assert.rejects(refused, { code: 'EXEC_DISABLED' });
    const log = readFileSync(daemon.paths.logFile, 'utf8');
    for (const secret of ['a secret of the app', 'a private key', TOKEN]) {
      assert.equal(log.includes(secret), false);
    }
    const again = client.call('up', { spec, secrets: { herokuToken: TOKEN } });
    await assert.rejects(again, { code: 'HEROKU_UNAVAILABLE' });
  });

  it('has an app and dynos that are named as such, or is no tunnel', async () => {
    await start();
    for (const way of [
      { kind: 'heroku', app: 'a/../b', dynos: [] },
      { kind: 'heroku', app: 'my-app', dynos: ['web.1/x'] },
    ] as const) {
      await assert.rejects(client.call('up', { spec: { ...spec, way }, secrets: {} }), {
        code: 'CONTROL_PROTOCOL',
      });
    }
  });
});

const appAt = (url: string, clock: ManualClock, token: () => string, attemptMs = 30_000) =>
  new HerokuApp({
    app: 'my-app',
    settings: () => herokuSettings({ HEROKU_API_URL: url, HEROKU_EXEC_URL: url }),
    token,
    proxy: () => undefined,
    extraCa: () => undefined,
    ahead: undefined,
    home: '/nonexistent',
    dial: () => Promise.reject(new Error('nothing is dialled')),
    agentPort: 9_001,
    attemptMs,
    clock,
    logger: silentLogger,
  });

describe('an app at a Heroku that wants fewer questions', () => {
  const { signal } = new AbortController();
  const limited = { status: 429, headers: { 'retry-after': '40' }, json: {} };
  let heroku: ScriptedServer;
  let clock: ManualClock;
  let app: HerokuApp;

  beforeEach(async () => {
    heroku = await ScriptedServer.start();
    clock = new ManualClock();
    app = appAt(heroku.url, clock, () => 'KEY');
  });
  afterEach(() => heroku.stop());

  it('says so at once rather than wait for longer than an attempt may take', async () => {
    heroku.answer(limited);
    await assert.rejects(app.dynos(signal), { code: 'HEROKU_RATE_LIMITED' });
    assert.equal(heroku.asked.length, 1);
    assert.equal(clock.waiting, 0);
    const hasty = appAt(heroku.url, clock, () => 'KEY', 3_000);
    heroku.answer({ ...limited, headers: { 'retry-after': '2' } });
    await assert.rejects(hasty.dynos(signal), { code: 'HEROKU_RATE_LIMITED' });
  });

  it('has the config vars that it had', async () => {
    heroku.answer({ json: { EPMUX_SECRET: 'of the app' } }, limited);
    await app.variables(signal);
    clock.advance(20_000);
    assert.deepEqual(await app.variables(signal), { EPMUX_SECRET: 'of the app' });
    assert.equal(heroku.asked.length, 2);
  });
});

describe('an app from which the add-on of old is removed', () => {
  it('is reached as one that never had it, by the next connection', async () => {
    const heroku = await ScriptedServer.start();
    const { signal } = new AbortController();
    let configVars: Record<string, string> = { HEROKU_EXEC_URL: 'https://u:p@127.0.0.1:1' };
    const asked: string[] = [];
    heroku.answer(({ url = '' }, response) => {
      asked.push(url);
      if (url.startsWith('/api/')) response.statusCode = 404;
      const app = { id: '1', name: 'my-app', enabled: true };
      response.end(JSON.stringify(url.endsWith('/config-vars') ? configVars : app));
    });
    const clock = new ManualClock();
    try {
      const app = appAt(heroku.url, clock, () => 'KEY');
      await app.check(signal);
      configVars = {};
      clock.advance(10_000);
      const connected = app.transport('web.1').connect(signal);
      await assert.rejects(connected, { code: 'DYNO_NOT_RUNNING' });
      assert.equal(asked.at(-1), '/api/v2/web.1');
    } finally {
      await heroku.stop();
    }
  });
});

describe('a hundred dynos', () => {
  it('are not a hundred calls a second', async () => {
    const clock = new ManualClock();
    const app = appAt('http://127.0.0.1:1', clock, () => {
      registered.push(clock.now());
      throw new Error('as far as it gets');
    });
    const registered: number[] = [];
    const attempts = Array.from({ length: 100 }, (_, index) =>
      app.transport(`web.${index}`).connect(new AbortController().signal),
    );
    const settled = Promise.allSettled(attempts);
    // The key pair is made off the main thread.
    while (registered.length < 5) await new Promise((resolve) => setImmediate(resolve));
    for (let passed = 0; passed < 10_000; passed += 100) {
      clock.advance(100);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await settled;
    assert.equal(registered.length, 100);
    for (let from = 0; from < 10_000; from += 500) {
      const within = registered.filter((at) => at >= from && at < from + 1_000).length;
      assert.ok(within <= 16, `${within} in the second from ${from} ms`);
    }
  });
});
