import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DemoApp, DYNOS } from '../../src/demo/app.ts';
import { askNames } from '../../src/runtime/epmd-client.ts';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');

describe("the demo's app", function () {
  this.timeout(60_000);
  this.slow(20_000);
  let home: string;
  let app: DemoApp;
  let interruption: AbortController;

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'epmux-demo-app-'));
    interruption = new AbortController();
    app = newApp(false);
  });
  afterEach(async () => {
    await app.close();
    rmSync(home, { recursive: true });
  });

  function newApp(namedByDyno: boolean): DemoApp {
    return new DemoApp({
      name: 'my-app',
      namedByDyno,
      home,
      cookie: 'SECRETCOOKIE',
      self: [process.execPath, '--import', 'tsx', MAIN],
      secret: 'a secret of sixteen bytes and more',
      erlang: undefined,
      interrupted: interruption.signal,
    });
  }

  const nodeNames = () => Promise.all(DYNOS.map(async (name) => (await app.dyno(name)).nodeName));

  it('has three dynos with a host, a node and an SSH server each; a restart renews all of one, and nothing of the others', async () => {
    await app.start();
    const before = app.dynos();
    assert.deepEqual(
      before.map(({ name, state }) => `${name} ${state}`),
      ['web.1 up', 'web.2 up', 'worker.1 up'],
    );
    const names = await nodeNames();
    for (const name of names) assert.match(name, /^my_app@d[0-9a-f]{7}$/);
    const { epmdPort } = (await app.dyno('web.2')).node;
    assert.deepEqual(
      (await askNames({ host: '127.0.0.1', port: epmdPort })).map(({ name }) => name),
      ['my_app'],
    );

    app.restartSoon('web.2');
    const [, starting] = app.dynos();
    assert.equal(starting?.state, 'starting');
    assert.equal(starting?.ssh, undefined);
    assert.notEqual(starting?.id, before[1]?.id);
    app.restartSoon('web.2');
    await app.dyno('web.2');
    await assert.rejects(askNames({ host: '127.0.0.1', port: epmdPort }));

    const after = app.dynos();
    assert.deepEqual([after[0]?.id, after[2]?.id], [before[0]?.id, before[2]?.id]);
    assert.equal(after[1]?.state, 'up');
    assert.notEqual(after[1]?.ssh?.hostKey, before[1]?.ssh?.hostKey);
    assert.equal(new Set([...names, ...(await nodeNames())]).size, 4);
  });

  it('can be closed while a dyno restarts, and then starts none', async () => {
    app = newApp(true);
    await app.start();
    assert.deepEqual(
      (await nodeNames()).map((name) => name.split('@')[0]),
      ['my_app_web_1', 'my_app_web_2', 'my_app_worker_1'],
    );
    const ports = app.dynos().map(({ ssh }) => ssh?.port ?? 0);
    app.restartSoon('worker.1');
    await app.close();
    app.restartSoon('web.1');
    await assert.rejects(app.dyno('worker.1'), { code: 'INTERRUPTED' });
    for (const port of ports) {
      await assert.rejects(once(connect(port, '127.0.0.1'), 'connect'), { code: 'ECONNREFUSED' });
    }
  });

  it('fails when it is interrupted, and no dyno is up then', async () => {
    const started = app.start();
    interruption.abort();
    await assert.rejects(started, { code: 'INTERRUPTED' });
    assert.deepEqual(
      app.dynos().map(({ state, ssh }) => ({ state, ssh })),
      DYNOS.map(() => ({ state: 'crashed', ssh: undefined })),
    );
  });
});
