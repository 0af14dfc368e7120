import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, existsSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { LogOutput } from '../../src/agent/log-output.ts';
import { AgentProcess } from '../support/agent-process.ts';
import { DaemonEnd } from '../support/daemon-end.ts';
import { freePort } from '../support/erlang.ts';
import { leaveOut } from '../support/left-out.ts';
import { tempFolder } from '../support/temp-folder.ts';

const SECRET = 'a secret of enough bytes';
const { O_RDONLY, O_WRONLY, O_NONBLOCK } = constants;

/** Tells how its stderr was opened, and ends at a signal by exit 9. */
const APP = `
  trap 'exit 9' TERM
  echo ready $(grep flags /proc/self/fdinfo/2)
  for _ in $(seq 200); do sleep 0.05; done
`;

describe("the log's output", () => {
  const temp = tempFolder();
  let reader = -1;
  let writer = -1;
  let agent: AgentProcess | undefined;
  let ends: DaemonEnd[] = [];

  beforeEach(() => {
    execFileSync('mkfifo', [join(temp.path, 'log')]);
    reader = openSync(join(temp.path, 'log'), O_RDONLY | O_NONBLOCK);
    writer = openSync(join(temp.path, 'log'), O_WRONLY | O_NONBLOCK);
  });
  afterEach(async () => {
    for (const end of ends) end.socket?.destroy();
    ends = [];
    await agent?.kill();
    agent = undefined;
    closeSync(reader);
    closeSync(writer);
  });

  /** What is in the pipe now. */
  function read(): string {
    const chunk = Buffer.alloc(1024 * 1024);
    try {
      return chunk.toString('utf8', 0, readSync(reader, chunk));
    } catch {
      return '';
    }
  }

  function fill(): void {
    for (const bytes of [4_096, 1]) {
      try {
        for (;;) writeSync(writer, Buffer.alloc(bytes, '.'));
      } catch {
        // It is full.
      }
    }
  }

  /** How a daemon with this secret gets in at the agent. */
  async function dial(port: number, secret: string): Promise<string> {
    const end = new DaemonEnd(secret);
    ends.push(end);
    try {
      await end.dial(port);
      await end.until('attached', () => end.attachments[0]);
      return 'attached';
    } catch (error) {
      return (error as { readonly code: string }).code;
    }
  }

  async function servesWithAFullLog(started: AgentProcess, port: number): Promise<void> {
    for (let times = 0; times < 3; times += 1) {
      assert.equal(await dial(port, 'another secret of enough bytes'), 'SECRET_REFUSED');
      assert.equal(await dial(port, SECRET), 'attached');
    }
    assert.equal(started.stderr, '');
  }

  it('keeps lines for a reader that has stopped, and tells how many more there were', async () => {
    const output = new LogOutput(writer);
    fill();
    const line = `${'x'.repeat(1_023)}\n`;
    for (let lines = 0; lines < 300; lines += 1) output.write(line);
    let text = '';
    while (!text.includes('dropped')) {
      text += read();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const told = text.replace(/^\.*/, '');
    assert.equal(told, `${line.repeat(256)}epmux agent: warn log lines were dropped lines=44\n`);
    output.write('at once\n');
    assert.equal(read(), 'at once\n');
  });

  it('is given up without a word when its reader has gone', () => {
    const output = new LogOutput(writer);
    closeSync(reader);
    output.write('nobody reads this\n');
    reader = openSync(join(temp.path, 'log'), O_RDONLY | O_NONBLOCK);
    output.write('a line\n');
    assert.equal(read(), 'a line\n');
  });

  it('that is full holds up neither a daemon nor a signal, although the app shares it', async function () {
    if (!existsSync('/proc/self/fdinfo')) leaveOut(this, 'there is no /proc');
    const port = await freePort();
    const args = ['--port', String(port), '--log-level', 'debug', '--', 'sh', '-c', APP];
    agent = await AgentProcess.start(args, {
      env: { EPMUX_SECRET: SECRET, LOG: join(temp.path, 'log') },
      wrap: (words) => ['sh', '-c', 'exec "$@" 2>"$LOG"', 'sh', ...words],
    });
    const [, flags = ''] = await agent.said('stdout', /ready flags:\s*(\d+)/);
    assert.equal(Number.parseInt(flags, 8) & O_NONBLOCK, 0, 'the app waits when it writes');
    let log = '';
    while (!log.includes('is listening')) {
      log += read();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    fill();
    await servesWithAFullLog(agent, port);
    agent.signal('SIGTERM');
    assert.equal(await agent.exitCode(), 9);
  });

  it('on a terminal that was stopped holds up nobody either', async function () {
    if (!existsSync('/usr/bin/script')) leaveOut(this, 'there is no script command');
    const port = await freePort();
    agent = await AgentProcess.start(
      ['--port', String(port), '--log-level', 'debug', '--', 'sh', '-c', APP],
      {
        env: { EPMUX_SECRET: SECRET },
        wrap: (words) => {
          const line = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
          return ['script', '--quiet', '--return', '--command', `exec ${line}`, '/dev/null'];
        },
      },
    );
    await agent.said('stdout', /ready/);
    await agent.said('stdout', /is listening/);
    agent.stdin.write('\x13');
    await new Promise((resolve) => setTimeout(resolve, 200));
    await servesWithAFullLog(agent, port);
    agent.stdin.write('\x11');
    await agent.said('stdout', /a session is attached/);
  });
});
