import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { connectDaemon } from '../../src/daemon/control/client.ts';
import { acquireLock, readLockHolder } from '../../src/daemon/lock.ts';
import { type DaemonPaths, daemonPaths, ensureFolders } from '../../src/daemon/paths.ts';
import { ensureDaemon, findDaemon } from '../../src/daemon/spawn.ts';
import { EPMUX } from '../support/dyno.ts';
import { leaveOut } from '../support/left-out.ts';
import { tempFolder } from '../support/temp-folder.ts';

const ENSURE = fileURLToPath(new URL('../support/ensure-daemon.ts', import.meta.url));
const [node = '', ...execArgs] = EPMUX.slice(0, -1);
const script = EPMUX.at(-1) ?? '';
const run = promisify(execFile);

/** Starts or finds the daemon as a command does, in a process of its own; its pid. */
async function ensure(home: string, program = script): Promise<number> {
  const env = { ...process.env, EPMUX_HOME: home, EPMUX_SECRET: 'not to be seen in ps' };
  const { stdout } = await run(node, [...execArgs, ENSURE, program], { env });
  return JSON.parse(stdout).pid;
}

async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
      // A zombie would answer too; the daemon's parent is not this process, so there is none.
      await new Promise((resolve) => setTimeout(resolve, 20));
    } catch {
      return;
    }
  }
}

describe('the daemon in the background', function () {
  this.timeout(60_000);
  const folder = tempFolder();
  let paths: DaemonPaths;
  let pids: number[];
  beforeEach(() => {
    paths = daemonPaths({ EPMUX_HOME: folder.path });
    pids = [];
  });
  afterEach(async () => {
    const supervisor = readLockHolder(paths.supervisorLockFile)?.pid;
    if (supervisor !== undefined) pids.unshift(supervisor);
    for (const pid of new Set(pids)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        continue;
      }
      await gone(pid);
    }
  });

  const started = async () => {
    const pid = await ensure(folder.path);
    pids.push(pid);
    return pid;
  };

  it('is started once by however many commands at once, outlives them, and is found by the next', async () => {
    const first = await Promise.all([started(), started(), started()]);
    assert.equal(new Set(first).size, 1);
    assert.equal(await started(), first[0]);
  });

  it('has no secret of the command in its environment', async function () {
    if (!existsSync('/proc/self/environ')) leaveOut(this, 'there is no /proc');
    const environment = `/proc/${await started()}/environ`;
    assert.doesNotMatch(readFileSync(environment, 'utf8'), /not to be seen/);
  });

  it('is found wherever it listens, also when this command has another runtime folder', async () => {
    const pid = await started();
    const elsewhere = { ...paths, controlSocket: join(folder.path, 'elsewhere.sock') };
    const client = await connectDaemon(elsewhere);
    assert.equal((await client.call('hello', {})).pid, pid);
    client.close();
  });

  it('is found again soon after its runtime folder was removed, as by a logout', async () => {
    const pid = await started();
    rmSync(paths.runtimeDir, { recursive: true });
    const [again, client] = await Promise.all([started(), findDaemon(paths)]);
    assert.equal(again, pid);
    assert.equal((await client.call('hello', {})).pid, pid);
    client.close();
  });

  it('is told to live where nobody can ask it, and is not started over and over', async () => {
    const program = join(folder.path, 'busy.ts');
    writeFileSync(program, 'console.error("busy (DAEMON_BUSY)"); process.exitCode = 1;');
    ensureFolders(paths);
    const lock = await acquireLock(paths);
    const told = { message: new RegExp(`pid ${process.pid}\\b.*${paths.controlSocket}`) };
    const hint = new RegExp(`\`kill ${process.pid}\``);
    const options = { script: program, timeoutMs: 2_000 };
    await assert.rejects(ensureDaemon(paths, options), {
      code: 'DAEMON_START_FAILED',
      hint,
      ...told,
    });
    assert.equal(readFileSync(paths.stderrFile, 'utf8'), 'busy (DAEMON_BUSY)\n');
    await assert.rejects(findDaemon(paths), { code: 'DAEMON_BUSY', hint, ...told });
    lock.release();
  });

  it('is started once one in the foreground has ended, which is nobody’s to supervise', async () => {
    ensureFolders(paths);
    const lock = await acquireLock(paths, 'daemon', true);
    const starting = started();
    const logged = () => (existsSync(paths.logFile) ? readFileSync(paths.logFile, 'utf8') : '');
    while (!/nobody’s to supervise.*pid=\d+/.test(logged())) await delay(20);
    lock.release();
    assert.notEqual(await starting, process.pid);
  });

  it('ends in order on SIGTERM and leaves neither socket nor lock', async () => {
    const pid = await started();
    process.kill(pid, 'SIGTERM');
    await gone(pid);
    await assert.rejects(connectDaemon(paths), { code: 'DAEMON_NOT_RUNNING' });
    assert.throws(() => readFileSync(paths.lockFile), { code: 'ENOENT' });
    assert.match(readFileSync(paths.logFile, 'utf8'), /asked to by SIGTERM/);
  });

  it('is started again after it was killed', async () => {
    const pid = await started();
    process.kill(pid, 'SIGKILL');
    await gone(pid);
    assert.notEqual(await started(), pid);
  });

  it('says why it can not start', async () => {
    const program = join(folder.path, 'broken.ts');
    writeFileSync(program, 'throw new Error("the reason why");');
    await assert.rejects(ensureDaemon(paths, { script: program }), {
      code: 'DAEMON_START_FAILED',
      message: /the reason why/,
    });
  });

  it('is not started on a disk that is full', async function () {
    await run('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'tmpfs', folder.path]).catch(() =>
      leaveOut(this, 'no file system can be mounted here'),
    );
    const fill = 'mount -t tmpfs -o size=64k tmpfs "$0"; cat /dev/zero > "$0/all" 2>&-; exec "$@"';
    const up = [...EPMUX, 'up', '--connect', '127.0.0.1:1'];
    const env = { ...process.env, EPMUX_HOME: join(folder.path, 'state') };
    await assert.rejects(run('unshare', ['-rm', 'sh', '-c', fill, folder.path, ...up], { env }), {
      code: 1,
      stderr: new RegExp(`${folder.path}/state: ENOSPC.*\\(DISK_FULL\\)\nhint: free some space\n$`),
    });
  });

  it('is not started with limits that can not be', async () => {
    const env = { ...process.env, EPMUX_HOME: folder.path, EPMUX_LIMITS: 'tunnels=0' };
    const up = [...execArgs, script, 'up', '--connect', '127.0.0.1:1'];
    await assert.rejects(run(node, up, { env }), {
      code: 2,
      stderr:
        /EPMUX_LIMITS: tunnels is a whole number .* \(CONFIG_INVALID\)\nhint: see docs\/bounds\.md\n$/,
    });
    assert.equal(existsSync(paths.stderrFile), false);
  });

  it('is not waited for when it neither starts nor ends', async () => {
    const program = join(folder.path, 'idle.ts');
    writeFileSync(program, 'setTimeout(() => {}, 3_000);');
    await assert.rejects(ensureDaemon(paths, { script: program, timeoutMs: 300 }), {
      code: 'DAEMON_START_FAILED',
      message: /300 ms/,
    });
  });

  it('is not waited for any longer when the command is interrupted, and ends', async () => {
    const [program, told] = [join(folder.path, 'idle.ts'), join(folder.path, 'pid')];
    writeFileSync(
      program,
      `import fs from 'node:fs'; fs.writeFileSync('${told}.new', String(process.pid));
      fs.renameSync('${told}.new', '${told}'); setTimeout(() => {}, 60_000);`,
    );
    const interrupt = new AbortController();
    const ensuring = ensureDaemon(paths, { script: program, signal: interrupt.signal });
    while (!existsSync(told)) await new Promise((resolve) => setTimeout(resolve, 20));
    pids.push(Number(readFileSync(told, 'utf8')));
    interrupt.abort();
    await assert.rejects(ensuring, { code: 'INTERRUPTED' });
    await gone(pids[0] ?? 0);
  });

  it('of another version is told apart', async () => {
    ensureFolders(paths);
    const other = net.createServer((socket) => {
      socket.on('data', () =>
        socket.write('{"jsonrpc":"2.0","id":1,"result":{"version":"0.0.1","pid":7}}\n'),
      );
    });
    other.listen(paths.controlSocket);
    await once(other, 'listening');
    await assert.rejects(ensureDaemon(paths), { code: 'DAEMON_VERSION', message: /0\.0\.1/ });
    other.close();
  });

  it('does not start on a state folder that another holds', async () => {
    ensureFolders(paths);
    const lock = await acquireLock(paths);
    const daemon = run(node, [...execArgs, script, 'daemon'], {
      env: { ...process.env, EPMUX_HOME: folder.path },
    });
    await assert.rejects(daemon, /DAEMON_BUSY/);
    lock.release();
  });
});
