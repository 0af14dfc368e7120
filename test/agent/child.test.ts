import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { AgentProcess } from '../support/agent-process.ts';
import { freePort } from '../support/erlang.ts';
import { leaveOut } from '../support/left-out.ts';
import { tempFolder } from '../support/temp-folder.ts';

const SECRET = 'a secret of enough bytes';

/** Prints `ready`, then each signal it gets; exits 42 on `quit` at its stdin. */
const RECORDER = `
  for (const s of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'])
    process.on(s, () => console.log('got ' + s));
  process.stdin.on('data', (text) => { if (String(text).includes('quit')) process.exit(42); });
  console.log('ready', process.env.EPMUX_SECRET, process.env.KEPT);
`;
/** Prints `ready` and each SIGINT it gets, and exits 42 at a SIGQUIT. */
const INTERRUPTED = `
  let times = 0;
  process.on('SIGINT', () => console.log('interrupted', ++times));
  process.on('SIGQUIT', () => process.exit(42));
  setTimeout(() => {}, 15_000);
  console.log('ready');
`;
/** Two signals that come close together may be one. */
const KEYSTROKES = 10;
/** What the agent itself says at the level that it has beside an app. */
const ONLY_THE_PORT = /^(epmux agent: warn the agent is listening address=\S+ pid=\d+\n)?$/;
const LISTEN = ['--listen', '127.0.0.1:0'];

describe('an app that the agent runs', () => {
  const folder = tempFolder();
  let agent: AgentProcess | undefined;
  afterEach(() => agent?.kill());

  async function run(
    command: readonly string[],
    env: Record<string, string> = { EPMUX_SECRET: SECRET },
  ): Promise<AgentProcess> {
    agent = await AgentProcess.start([...LISTEN, '--', ...command], { env });
    return agent;
  }

  it('has its exit code given on', async () => {
    assert.equal(await (await run(['sh', '-c', 'exit 0'])).exitCode(), 0);
    assert.equal(await (await run(['sh', '-c', 'exit 7'])).exitCode(), 7);
  });

  for (const signal of ['SIGKILL', 'SIGTERM', 'SIGABRT'] as const) {
    it(`that ${signal} ends is told as a shell tells it`, async () => {
      const killed = await run(['sh', '-c', `kill -${constants.signals[signal]} $$`]);
      assert.equal(await killed.exitCode(), 128 + constants.signals[signal]);
    });
  }

  it('that is not there is 127, and that can not be run 126', async () => {
    const missing = await run(['/nowhere/epmux-test']);
    assert.equal(await missing.exitCode(), 127);
    assert.match(missing.stderr, /could not be started .*reason=ENOENT/);
    assert.equal(await (await run(['/etc/passwd'])).exitCode(), 126);
  });

  it('has the stdin, stdout and stderr of the agent, and no secret in its environment', async () => {
    const started = await run([process.execPath, '-e', RECORDER], {
      EPMUX_SECRET: SECRET,
      KEPT: 'kept',
    });
    await started.said('stdout', /^ready undefined kept\n/);
    started.stdin.write('quit\n');
    assert.equal(await started.exitCode(), 42);
    assert.match(started.stderr, ONLY_THE_PORT);
  });

  it('does not keep the port that was drawn from being told', async () => {
    const started = await run(['sh', '-c', 'read line']);
    const [, port] = await started.said('stderr', /listening address=127\.0\.0\.1:(\d+)/);
    assert.notEqual(Number(port), 0);
    started.stdin.write('\n');
    assert.equal(await started.exitCode(), 0);
  });

  it('does not tell the port that was given', async () => {
    const port = String(await freePort());
    agent = await AgentProcess.start(['--port', port, '--', 'sh', '-c', 'sleep 0.3'], {
      env: { EPMUX_SECRET: SECRET },
    });
    assert.equal(await agent.exitCode(), 0);
    assert.equal(agent.stderr, '');
  });

  it('gets every signal that the agent gets', async () => {
    const started = await AgentProcess.start([...LISTEN, '--', process.execPath, '-e', RECORDER], {
      env: { EPMUX_SECRET: SECRET },
      detached: true,
    });
    agent = started;
    await started.said('stdout', /ready/);
    for (const signal of [
      'SIGUSR1',
      'SIGUSR2',
      'SIGHUP',
      'SIGINT',
      'SIGQUIT',
      'SIGTERM',
      'SIGTERM',
    ] as const) {
      const before = started.stdout.length;
      started.signal(signal);
      await started.said('stdout', new RegExp(`[^]{${before}}got ${signal}\n`));
    }
    started.stdin.write('quit\n');
    assert.equal(await started.exitCode(), 42);
    assert.match(started.stderr, ONLY_THE_PORT, 'the agent starts no debugger');
  });

  for (const stdin of ['', '< /dev/null']) {
    it(`gets a keystroke of the terminal once, although the agent sees it too ${stdin}`, async function () {
      if (!existsSync('/usr/bin/script')) leaveOut(this, 'there is no script command');
      const inTerminal = (words: readonly string[]): string[] => {
        const line = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
        return ['script', '--quiet', '--return', '--command', `exec ${line} ${stdin}`, '/dev/null'];
      };
      const argv = [...LISTEN, '--', process.execPath, '-e', INTERRUPTED];
      agent = await AgentProcess.start(argv, { env: { EPMUX_SECRET: SECRET }, wrap: inTerminal });
      await agent.said('stdout', /ready/);
      for (let times = 1; times <= KEYSTROKES; times += 1) {
        agent.stdin.write('\x03');
        await agent.said('stdout', new RegExp(`interrupted ${times}\\s`));
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      agent.stdin.write('\x1c');
      assert.equal(await agent.exitCode(), 42);
      assert.equal(agent.stdout.match(/interrupted/g)?.length, KEYSTROKES);
    });
  }

  it('runs without a secret, and the log says loudly that there is no tunnel', async () => {
    const started = await run([process.execPath, '-e', RECORDER], {});
    await started.said('stdout', /ready/);
    await started.said('stderr', /WITHOUT A TUNNEL.*SECRET_MISSING/);
    started.stdin.write('quit\n');
    assert.equal(await started.exitCode(), 42);
  });

  it('runs although a variable is wrong', async () => {
    const started = await run(['sh', '-c', 'exit 3'], {
      EPMUX_SECRET: SECRET,
      ERL_EPMD_PORT: 'x',
    });
    assert.equal(await started.exitCode(), 3);
    assert.match(started.stderr, /WITHOUT A TUNNEL.*ERL_EPMD_PORT: x is not a port/);
  });

  it('outlives a failure of the agent', async () => {
    const mark = join(folder.path, 'the app runs');
    const failure = `import { existsSync } from 'node:fs';
      const looks = setInterval(() => {
        if (!existsSync(${JSON.stringify(mark)})) return;
        clearInterval(looks);
        throw new Error('boom');
      }, 5);`;
    const started = await run(['sh', '-c', `echo runs; : > '${mark}'; read line; exit 8`], {
      EPMUX_SECRET: SECRET,
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(failure)}`,
    });
    await started.said('stderr', /WITHOUT A TUNNEL.*boom/);
    started.stdin.write('\n');
    assert.equal(await started.exitCode(), 8);
    assert.equal(started.stdout, 'runs\n');
  });

  it('does not run when the command line is wrong', async () => {
    agent = await AgentProcess.start(['--prot', '1', '--', 'sh', '-c', 'echo ran']);
    assert.equal(await agent.exitCode(), 2);
    assert.equal(agent.stdout, '');
    assert.match(agent.stderr, /did you mean --port\? \(USAGE\)\nhint: /);
  });
});
