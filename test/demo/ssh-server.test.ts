import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { makeKeyPair } from '../../src/demo/keys.ts';
import { type LoopbackServer, listenOnLoopback } from '../../src/demo/loopback.ts';
import { type SshServer, startSshServer } from '../../src/demo/ssh-server.ts';
import { freePort } from '../support/erlang.ts';

const run = promisify(execFile);
/** What the client asks for; something else listens behind it. */
const AGENT_PORT = 9001;

describe('the embedded SSH server, to a real ssh', () => {
  let folder: string;
  let server: SshServer;
  let echo: LoopbackServer;
  let options: string[];

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'epmux-demo-ssh-'));
    const key = makeKeyPair();
    echo = await listenOnLoopback((socket) => socket.pipe(socket));
    server = await startSshServer({
      user: 'demo',
      portBehind: (port) => (port === AGENT_PORT ? echo.port : undefined),
    });
    assert.ok(server.authorize(key.publicKey));
    writeFileSync(join(folder, 'key'), key.privateKey, { mode: 0o600 });
    writeFileSync(join(folder, 'known_hosts'), `[127.0.0.1]:${server.port} ${server.hostKey}\n`);
    options = [
      ...['-F', 'none', '-i', join(folder, 'key'), '-p', String(server.port)],
      ...['-o', `UserKnownHostsFile=${join(folder, 'known_hosts')}`],
      ...['-o', 'StrictHostKeyChecking=yes', '-o', 'BatchMode=yes', '-o', 'IdentityAgent=none'],
    ];
  });
  afterEach(async () => {
    await server.close();
    await echo.close();
    rmSync(folder, { recursive: true });
  });

  /** Sends text through a forward to a port; what came back until the end of the stream. */
  async function throughForward(port: number, text: string): Promise<string> {
    const forwarded = run('ssh', [...options, '-W', `127.0.0.1:${port}`, 'demo@127.0.0.1']);
    forwarded.child.stdin?.end(text);
    return (await forwarded).stdout;
  }

  it('leads a port to the one behind it, with both ends of the stream', async () => {
    const text = 'x'.repeat(500_000);
    assert.equal(await throughForward(AGENT_PORT, text), text);
  });

  it('forwards to no other port, not even to one behind', async () => {
    for (const port of [echo.port, server.port, AGENT_PORT + 1]) {
      await assert.rejects(throughForward(port, 'x'), /administratively prohibited|open failed/);
    }
  });

  it('says when nothing listens on a port that may be reached', async () => {
    await echo.close();
    await assert.rejects(throughForward(AGENT_PORT, 'x'), /open failed/);
  });

  it('lets no other user and no other key in', async () => {
    const forward = ['-W', `127.0.0.1:${AGENT_PORT}`];
    await assert.rejects(run('ssh', [...options, ...forward, 'root@127.0.0.1']), /denied/);
    const other = makeKeyPair();
    writeFileSync(join(folder, 'key'), other.privateKey, { mode: 0o600 });
    await assert.rejects(run('ssh', [...options, ...forward, 'demo@127.0.0.1']), /denied/);
  });

  it('takes further keys, and nothing that is none', async () => {
    const other = makeKeyPair();
    writeFileSync(join(folder, 'key'), other.privateKey, { mode: 0o600 });
    assert.equal(server.authorize(other.publicKey), true);
    assert.equal(await throughForward(AGENT_PORT, 'x'), 'x');
    for (const text of ['', 'ssh-rsa AAAA', 'no key', other.privateKey]) {
      assert.equal(server.authorize(text), false, text);
    }
  });

  it('runs no command', async () => {
    await assert.rejects(run('ssh', [...options, 'demo@127.0.0.1', 'echo ran']), {
      code: 127,
      stdout: '',
    });
  });

  it('holds a session with a terminal open, and cuts it by a reset', async () => {
    const local = await freePort();
    const forward = [
      '-o',
      'ExitOnForwardFailure=yes',
      '-L',
      `127.0.0.1:${local}:127.0.0.1:${AGENT_PORT}`,
    ];
    const ssh = spawn('ssh', [...options, ...forward, '-tt', 'demo@127.0.0.1', 'sleep 9']);
    ssh.stderr.resume();
    const exited = once(ssh, 'exit');
    const socket = await reach(local);
    socket.write('here');
    assert.equal(String((await once(socket, 'data'))[0]), 'here');
    assert.equal(server.cut(), 1);
    assert.deepEqual(await exited, [255, null]);
    assert.equal(server.cut(), 0);
    socket.destroy();
  });
});

/** Connects as soon as something listens there. */
async function reach(port: number) {
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    const connected = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    if (connected) return socket;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
