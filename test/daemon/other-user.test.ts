import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Daemon } from '../../src/daemon/daemon.ts';
import { AgentEnd } from '../support/agent-end.ts';
import { connectSpec, DaemonFixture } from '../support/daemon-fixture.ts';
import { FarEnd } from '../support/far-end.ts';
import { leaveOut } from '../support/left-out.ts';
import { tempFolder } from '../support/temp-folder.ts';

const NOBODY = 65_534;
const SECRET = 'a secret of 16 bytes or more';

/**
 * What comes of reading files, connecting to a socket and asking an epmd: `ok`, or the system's
 * code.
 */
const PROBE = `
const { readFileSync, readdirSync } = require('node:fs');
const { connect } = require('node:net');
const [files, sockets, epmdPort] = JSON.parse(process.argv[1]);
const found = {};
for (const path of files) {
  try { readFileSync(path); found[path] = 'ok'; } catch (error) { found[path] = error.code; }
  try { readdirSync(path); found[path] = 'ok'; } catch (error) { found[path] = found[path] ?? error.code; }
}
const tries = sockets.map((path) => new Promise((done) => {
  const socket = connect(path, () => { found[path] = 'ok'; socket.destroy(); done(); });
  socket.on('error', (error) => { found[path] = error.code; done(); });
}));
tries.push(new Promise((done) => {
  const socket = connect(epmdPort, '127.0.0.1', () => socket.end(Buffer.from([0, 1, 110])));
  socket.on('data', () => { found.epmd = 'ok'; });
  socket.on('close', done);
}));
Promise.all(tries).then(() => console.log(JSON.stringify(found)));
`;

describe('another user of this machine', () => {
  const folder = tempFolder();
  let far: FarEnd;
  let agent: AgentEnd;
  let fixture: DaemonFixture;
  let daemon: Daemon;

  before(function () {
    if (process.getuid?.() !== 0) leaveOut(this, 'only root can act as another user');
  });
  beforeEach(async () => {
    far = await FarEnd.start();
    agent = await AgentEnd.start({ secret: SECRET, nodes: { 'app@dyno-1': far.port } });
    fixture = new DaemonFixture(folder.path);
    daemon = await fixture.start();
    const client = await fixture.client();
    await client.call('up', { spec: connectSpec(agent.port), secrets: { secret: SECRET } });
  });
  afterEach(async () => {
    await fixture.stop();
    await agent.kill();
    far.stop();
  });

  async function probe(): Promise<Record<string, string>> {
    const { paths } = fixture;
    const { stateDir, runtimeDir, stateFile, logFile, secretsDir, lockFile, controlSocket } = paths;
    const files = [stateDir, runtimeDir, secretsDir, stateFile, logFile, lockFile];
    files.push(join(secretsDir, 'prod'));
    const asked = JSON.stringify([files, [controlSocket], daemon.leading.epmdPort]);
    const options = { uid: NOBODY, gid: NOBODY, cwd: '/', env: {} };
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', PROBE, asked], options);
    return JSON.parse(stdout) as Record<string, string>;
  }

  it('reads no secret, no state and no log, and does not reach the control socket', async () => {
    chmodSync(folder.path, 0o755);
    const { epmd, ...found } = await probe();
    assert.deepEqual([...new Set(Object.values(found))], ['EACCES'], JSON.stringify(found));
    assert.equal(epmd, 'ok', 'the loopback is everybody’s, and security.md says so');
  });

  it('does not even where the folders are open', async () => {
    const { stateDir, runtimeDir, secretsDir } = fixture.paths;
    chmodSync(folder.path, 0o755);
    for (const path of [dirname(runtimeDir), stateDir, runtimeDir, secretsDir])
      chmodSync(path, 0o755);
    const { epmd: _, ...found } = await probe();
    for (const path of [stateDir, runtimeDir, secretsDir]) delete found[path];
    assert.ok(Object.keys(found).length >= 4);
    assert.deepEqual([...new Set(Object.values(found))], ['EACCES'], JSON.stringify(found));
  });
});
