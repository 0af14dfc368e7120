import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { localCookie } from '../../src/daemon/erlang-cookie.ts';
import { erlangConfig } from '../../src/runtime/home.ts';
import { ErlangHost } from '../support/erlang.ts';
import { tempFolder } from '../support/temp-folder.ts';

describe("this user's own cookie", () => {
  const folder = tempFolder();

  it('is what the file in the home folder says', async () => {
    writeFileSync(join(folder.path, '.erlang.cookie'), 'MONSTER\n');
    assert.equal(await localCookie(folder.path), 'MONSTER');
  });

  it('ends where Erlang lets it end, and fails nobody when Erlang refuses it', async () => {
    writeFileSync(join(folder.path, '.erlang.cookie'), 'MONSTER \n');
    assert.equal(await localCookie(folder.path), 'MONSTER ');
    writeFileSync(join(folder.path, '.erlang.cookie'), 'two\nlines\n');
    assert.equal(await localCookie(folder.path), 'two\nlines');
  });

  it('is the one of the configuration folder when the home folder has none', async () => {
    for (const [platform, path] of [
      ['linux', 'config/erlang'],
      ['darwin', 'Library/Application Support/erlang'],
    ] as const) {
      const env = { HOME: folder.path, XDG_CONFIG_HOME: join(folder.path, 'config') };
      const config = join(folder.path, path);
      mkdirSync(config, { recursive: true });
      writeFileSync(join(config, '.erlang.cookie'), platform);
      assert.equal(await localCookie(folder.path, erlangConfig(env, platform)), platform);
    }
  });

  it('is made as Erlang makes it when there is none, once for all who ask', async () => {
    const given = await Promise.all([1, 2, 3].map(() => localCookie(folder.path)));
    assert.equal(new Set(given).size, 1);
    assert.match(given[0] ?? '', /^[A-Z]{20}$/);
    const file = join(folder.path, '.erlang.cookie');
    assert.equal(readFileSync(file, 'utf8'), given[0]);
    assert.equal(statSync(file).mode & 0o777, 0o400);
  });

  it('fails with a code when it can be neither read nor made', async () => {
    await assert.rejects(localCookie(join(folder.path, 'none')), { code: 'INTERNAL' });
  });

  it('is none where the file is empty, which Erlang refuses', async () => {
    writeFileSync(join(folder.path, '.erlang.cookie'), '\n');
    await assert.rejects(localCookie(folder.path), {
      code: 'CONFIG_INVALID',
      message: /\.erlang\.cookie holds no cookie/,
      hint: /remove it/,
    });
  });

  it('is one that a real node takes', async function () {
    this.timeout(20_000);
    const host = await ErlangHost.start();
    try {
      const home = join(folder.path, 'home');
      mkdirSync(home);
      const cookie = await localCookie(home);
      const node = await host.node('app', { env: { HOME: home } });
      assert.equal(await node.eval('erlang:get_cookie()'), `'${cookie}'`);
    } finally {
      await host.stop();
    }
  });
});
