import assert from 'node:assert/strict';
import { prepareHeroku } from '../../src/heroku/prepare.ts';
import { FarEnd } from '../support/far-end.ts';

describe('what begins before Heroku is asked', () => {
  let api: FarEnd;
  let manager: FarEnd;

  beforeEach(async () => {
    api = await FarEnd.start();
    manager = await FarEnd.start();
  });
  afterEach(() => {
    api.stop();
    manager.stop();
  });

  const prepare = (execUrl: string, more: NodeJS.ProcessEnv = {}): void =>
    prepareHeroku({
      HEROKU_API_URL: `https://127.0.0.1:${api.port}`,
      HEROKU_EXEC_URL: execUrl,
      ...more,
    });

  it('are connections to the API, and one to the exec manager', async () => {
    prepare(`https://127.0.0.1:${manager.port}`);
    await Promise.all([api.next(), api.next(), api.next(), api.next(), manager.next()]);
    assert.deepEqual([api.connections, manager.connections], [4, 1]);
  });

  it('are those to the API alone where the manager is the same host', async () => {
    prepare(`https://127.0.0.1:${api.port}/`);
    await Promise.all([api.next(), api.next(), api.next(), api.next()]);
    assert.equal(api.connections, 4);
  });

  it('are none past a proxy', async () => {
    prepare(`https://127.0.0.1:${manager.port}`, {
      HTTPS_PROXY: 'http://proxy.example.com',
      NO_PROXY: `127.0.0.1:${manager.port}`,
    });
    await manager.next();
    assert.equal(api.connections, 0);
  });

  it('are none where the environment names no URL', () => {
    prepare('not a URL');
    assert.equal(api.connections, 0);
  });
});
