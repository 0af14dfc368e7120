import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { AgentProcess, agentBundle } from '../support/agent-process.ts';
import { leaveOut } from '../support/left-out.ts';
import { findNode } from '../support/other-node.ts';

const UNSHARE = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child'];
const SECRET = 'a secret of enough bytes';
const INSTALL_MS = 60_000;

/** Prints `ready`, answers SIGTERM by exit 9, and leaves orphans behind that end at once. */
const APP = `
  trap 'exit 9' TERM
  i=0
  while [ $i -lt 20 ]; do (sleep 0.01 &) ; i=$((i+1)); done
  while [ "$(ps -o ppid=,comm= | grep -c '1 sleep')" -gt 0 ]; do sleep 0.05; done
  echo ready $(ps -o stat= | grep -c Z)
  read line
  echo "read $line"
  while :; do sleep 0.05; done
`;

function hasExecve(node: string): boolean {
  const { stdout } = spawnSync(node, ['-p', 'typeof process.execve'], { encoding: 'utf8' });
  return stdout?.trim() === 'function';
}

/** A Node that can replace itself, or undefined. */
function newNode(): string | undefined {
  if (hasExecve(process.execPath)) return process.execPath;
  try {
    const found = findNode('24', INSTALL_MS);
    return hasExecve(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

function canUnshare(): boolean {
  return spawnSync(UNSHARE[0] ?? '', [...UNSHARE.slice(1), 'true']).status === 0;
}

describe('the agent as process 1', () => {
  let agent: AgentProcess | undefined;
  afterEach(() => agent?.kill());

  async function asProcessOne(
    node: string,
    command: readonly string[],
    more: Readonly<Record<string, string>> = {},
  ): Promise<AgentProcess> {
    agent = await AgentProcess.start(['--listen', '127.0.0.1:0', '--', ...command], {
      env: { EPMUX_SECRET: SECRET, ...more },
      node,
      wrap: (words) => [...UNSHARE, ...words],
    });
    return agent;
  }

  before(function () {
    if (!canUnshare()) leaveOut(this, 'a process namespace needs root, or user namespaces');
  });

  describe('on a Node that can replace itself (22.15 or newer)', () => {
    let node = '';
    before(function () {
      this.timeout(INSTALL_MS + 10_000);
      const found = newNode();
      if (found === undefined)
        leaveOut(this, 'neither is this one, nor does the registry give one');
      node = found;
    });

    it('collects orphans, hands stdin on, passes signals on and exits with the code of the app', async () => {
      const started = await asProcessOne(node, ['sh', '-c', APP]);
      await started.said('stdout', /^ready 0\n/);
      started.stdin.write('a line\n');
      await started.said('stdout', /read a line\n/);
      const inside = spawnSync('pgrep', ['-P', String(started.pid)], { encoding: 'utf8' });
      process.kill(Number(inside.stdout.trim()), 'SIGTERM');
      assert.equal(await started.exitCode(), 9);
      assert.match(started.stderr, /^(epmux agent: warn the agent is listening [^\n]*\n)?$/);
    });

    it('tells an app that a signal ended as a shell does', async () => {
      const started = await asProcessOne(node, ['sh', '-c', 'kill -9 $$']);
      assert.equal(await started.exitCode(), 137);
    });

    it('gives the app exactly the environment that it was given, but for the secret', async () => {
      const given = { 'spring.profile': 'a=b', 'MY-APP-KEY': 'two\nlines', EMPTY: '', ü: 'ü' };
      const command = [process.execPath, '-p', 'JSON.stringify(process.env)'];
      const started = await asProcessOne(node, command, given);
      assert.equal(await started.exitCode(), 0);
      // Node hands it to each of its children while coverage is collected.
      const { NODE_V8_COVERAGE: _, ...seen } = JSON.parse(started.stdout);
      assert.deepEqual(seen, { PATH: process.env['PATH'] ?? '', ...given });
    });

    it('keeps a socket that it was given, and warns that it collects no orphans', async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { fd } = (server as unknown as { readonly _handle: { readonly fd: number } })._handle;
      const argv = ['--listen-fd', '3', '--log-level', 'info', '--', 'sh', '-c', 'sleep 0.3'];
      const [unshare = '', ...words] = [...UNSHARE, node, await agentBundle(), ...argv];
      const env = { PATH: process.env['PATH'] ?? '', EPMUX_SECRET: SECRET };
      const child = spawn(unshare, words, { env, stdio: ['ignore', 'ignore', 'pipe', fd] });
      let log = '';
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        log += text;
      });
      await once(child, 'close');
      server.close();
      assert.match(log, /warn this is process 1 .*--listen-fd.*docker run --init/);
      assert.match(log, /info the agent is listening address=127\.0\.0\.1:\d+ pid=1\n/);
    });
  });

  it('on an older Node warns and runs the app all the same', async function () {
    if (hasExecve(process.execPath)) leaveOut(this, 'this Node can');
    const started = await asProcessOne(process.execPath, ['sh', '-c', 'exit 5']);
    assert.equal(await started.exitCode(), 5);
    assert.match(started.stderr, /warn this is process 1 .*docker run --init.*tini/);
  });
});
