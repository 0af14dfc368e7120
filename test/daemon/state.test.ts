import assert from 'node:assert/strict';
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { TunnelSpec } from '../../src/daemon/control/api.ts';
import { writeFileAtomic } from '../../src/daemon/files.ts';
import { readCookieFile, readSecretFile, SecretStore } from '../../src/daemon/secrets.ts';
import { StateStore } from '../../src/daemon/state.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { tempFolder } from '../support/temp-folder.ts';

const SPEC: TunnelSpec = {
  name: 'prod',
  way: { kind: 'connect', host: 'localhost', port: 9001 },
  agent: 'auto',
  agentPort: 9001,
  hiddenOnly: false,
};

describe('the state file', () => {
  const folder = tempFolder();
  let path: string;
  let logger: RecordingLogger;
  beforeEach(() => {
    path = join(folder.path, 'state', 'state.json');
    logger = new RecordingLogger();
    return mkdir(dirname(path));
  });

  const open = () => StateStore.open(path, logger);

  it('is empty at first, and brings back what was written', async () => {
    const store = await open();
    assert.deepEqual(store.state, { tunnels: [] });
    await store.update((state) => ({ ...state, epmdPort: 4000, tunnels: [SPEC] }));
    assert.deepEqual((await open()).state, { epmdPort: 4000, tunnels: [SPEC] });
    assert.equal(statSync(path).mode & 0o777, 0o600);
  });

  it('holds the last of many changes made at once, and no file beside it', async () => {
    const store = await open();
    await Promise.all(
      Array.from({ length: 50 }, (_, port) =>
        store.update((state) => ({ ...state, epmdPort: port + 1 })),
      ),
    );
    assert.equal((await open()).state.epmdPort, 50);
    assert.deepEqual(readdirSync(dirname(path)), ['state.json']);
  });

  it('that can not be understood is put aside, and the daemon goes on without it', async () => {
    const bad = [
      'not JSON',
      '[]',
      '{"schema":"2","tunnels":[]}',
      '{"schema":"1","tunnels":[{"name":"../x"}]}',
      '{"schema":"1","epmdPort":70000,"tunnels":[]}',
    ];
    for (const text of bad) {
      writeFileSync(path, text);
      const store = await open();
      assert.deepEqual(store.state, { tunnels: [] });
      assert.equal(store.problem?.code, 'STATE_UNREADABLE');
      assert.equal(readFileSync(`${path}.unreadable`, 'utf8'), text);
      assert.equal(existsSync(path), false);
    }
    assert.ok(logger.has('STATE_UNREADABLE'));
  });

  it('that can not be written is held in memory and written when that is possible again', async () => {
    const store = await open();
    renameSync(dirname(path), `${dirname(path)}.away`);
    await store.update((state) => ({ ...state, tunnels: [SPEC] }));
    assert.ok(store.problem !== undefined);
    assert.deepEqual(store.state.tunnels, [SPEC]);
    renameSync(`${dirname(path)}.away`, dirname(path));
    await store.retry();
    assert.equal(store.problem, undefined);
    assert.deepEqual((await open()).state.tunnels, [SPEC]);
  });

  it('is as it was when a write fails', async () => {
    await writeFileAtomic(path, 'old');
    await assert.rejects(writeFileAtomic(join(path, 'below-a-file'), 'new'));
    assert.equal(readFileSync(path, 'utf8'), 'old');
  });
});

describe("the tunnels' secrets", () => {
  const folder = tempFolder();

  it('lie in a file each that only the user can read', async () => {
    const store = new SecretStore(folder.path);
    await store.write('prod', 'the secret of prod');
    assert.equal(await store.read('prod'), 'the secret of prod');
    assert.equal(statSync(join(folder.path, 'prod')).mode & 0o777, 0o600);
    await store.remove('prod');
    assert.equal(await store.read('prod'), undefined);
    await store.remove('prod');
  });

  it('are refused where a file holds more than a secret', async () => {
    const path = join(folder.path, 'long');
    writeFileSync(path, 'x'.repeat(5_000));
    const refusal = {
      code: 'USAGE',
      message: /long holds 5000 bytes, and a secret has at most 4096/,
    };
    await assert.rejects(readSecretFile(path), refusal);
    await assert.rejects(readCookieFile(path), refusal);
  });

  it('stay in their folder and apart whatever the tunnel is called', async () => {
    const store = new SecretStore(folder.path);
    const names = ['..', '.', 'é', 'a b', '=', 'host:9001', '..x', '日本', 'prod', 'Prod'];
    for (const name of names) await store.write(name, `of ${name}`);
    for (const name of names) assert.equal(await store.read(name), `of ${name}`);
    const files = readdirSync(folder.path).map((file) => file.toLowerCase());
    assert.equal(new Set(files).size, names.length, 'also where upper case is the same');
  });
});
