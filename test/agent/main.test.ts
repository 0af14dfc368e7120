import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { wireCodeName } from '../../src/protocol/wire-codes.ts';
import { pairPipe } from '../../src/runtime/socket-pipe.ts';
import { VERSION } from '../../src/runtime/version.ts';
import { AgentProcess, agentBundle } from '../support/agent-process.ts';
import { DaemonEnd } from '../support/daemon-end.ts';
import { freePort } from '../support/erlang.ts';

const SECRET = 'a secret of enough bytes';
const ENV = { EPMUX_SECRET: SECRET };

describe('the agent as a program', () => {
  let agent: AgentProcess | undefined;
  let end: DaemonEnd | undefined;
  let other: Server | undefined;
  let noEpmd = '';

  before(async () => {
    noEpmd = String(await freePort());
  });
  afterEach(async () => {
    end?.socket?.destroy();
    other?.close();
    await agent?.kill();
  });

  async function run(
    args: readonly string[],
    env: Record<string, string> = ENV,
  ): Promise<AgentProcess> {
    agent = await AgentProcess.start(args, { env: { ...env, ERL_EPMD_PORT: noEpmd } });
    return agent;
  }

  async function listening(started: AgentProcess): Promise<number> {
    const [, port] = await started.said('stderr', /listening address=127\.0\.0\.1:(\d+)/);
    return Number(port);
  }

  async function takenPort(): Promise<number> {
    other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    return (other.address() as { readonly port: number }).port;
  }

  it('tells its version and its options on stdout', async () => {
    const version = await run(['--version']);
    assert.equal(await version.exitCode(), 0);
    assert.equal(version.stdout, `epmux ${VERSION}\n`);
    const help = await run(['--help']);
    assert.equal(await help.exitCode(), 0);
    assert.match(help.stdout, /^epmux agent \[options\]/);
  });

  it('is bundled with its version, attaches a daemon and says goodbye when it is told to end', async () => {
    const started = await run(['--port', '0']);
    end = new DaemonEnd(SECRET);
    await end.dial(await listening(started));
    const daemon = end;
    const { peer } = await daemon.until('attached', () => daemon.attachments[0]);
    assert.equal(peer.software, `epmux/${VERSION}`);
    started.signal('SIGTERM');
    assert.equal(await started.exitCode(), 0);
    const { reason } = await daemon.until('the end', () => daemon.ended);
    assert.equal(wireCodeName(reason.code), 'SHUTDOWN');
    assert.equal(started.stdout, '');
  });

  it('ends within its bound although nobody reads its goodbye', async () => {
    const started = await run(['--port', '0']);
    end = new DaemonEnd(SECRET);
    await end.dial(await listening(started));
    end.socket?.pause();
    started.signal('SIGTERM');
    assert.equal(await started.exitCode(), 0);
  });

  it('ends with 130 on SIGINT', async () => {
    const started = await run(['--port', '0']);
    await listening(started);
    started.signal('SIGINT');
    assert.equal(await started.exitCode(), 130);
  });

  it('needs a secret', async () => {
    const started = await run(['--port', '0'], {});
    assert.equal(await started.exitCode(), 2);
    assert.match(started.stderr, /^epmux: .*\(SECRET_MISSING\)\nhint: make one with/);
  });

  it('tells a taken port', async () => {
    const started = await run(['--port', String(await takenPort())]);
    assert.equal(await started.exitCode(), 1);
    assert.match(started.stderr, /^epmux: .*\(PORT_TAKEN\)\nhint: /);
  });

  it('ends when it is handed a descriptor that is no socket', async () => {
    const started = await run(['--listen-fd', '3']);
    assert.equal(await started.exitCode(), 2);
    assert.match(started.stderr, /^epmux: .*descriptor 3: .*EINVAL.* \(USAGE\)\n/);
  });

  it('runs the app without a tunnel when the port is taken', async () => {
    const port = String(await takenPort());
    const started = await run(['--port', port, '--', 'sh', '-c', 'echo runs; read line; exit 4']);
    await started.said('stdout', /runs/);
    await started.said('stderr', /WITHOUT A TUNNEL.*PORT_TAKEN/);
    started.stdin.write('\n');
    assert.equal(await started.exitCode(), 4);
  });

  it('keeps the app and its exit code whatever breaks in the agent', async () => {
    // Nothing of it lets itself be ended in order, either.
    const broken = `
      import { Server } from 'node:net';
      Server.prototype.close = () => { throw new TypeError('broken while it stops'); };
      process.once('SIGWINCH', () => { throw new TypeError('broken'); });`;
    const fault = `data:text/javascript,${encodeURIComponent(broken)}`;
    agent = await AgentProcess.start(['--port', '0', '--', 'sh', '-c', 'read code; exit $code'], {
      env: { ...ENV, ERL_EPMD_PORT: noEpmd },
      wrap: ([node = '', ...rest]) => [node, '--import', fault, ...rest],
    });
    await listening(agent);
    agent.signal('SIGWINCH');
    await agent.said('stderr', /WITHOUT A TUNNEL reason="TypeError: broken while it stops/);
    assert.match(agent.stderr, /WITHOUT A TUNNEL reason="TypeError: broken\\n/);
    agent.stdin.write('4\n');
    assert.equal(await agent.exitCode(), 4);
  });

  it('warns when strangers can reach its port', async () => {
    const started = await run(['--listen', '0.0.0.0:0']);
    await started.said('stderr', /warn everybody who reaches this address .*address=0\.0\.0\.0/);
  });

  it('says goodbye when its app ends', async () => {
    const script = 'read line; exit 6';
    const started = await run(['--port', '0', '--log-level', 'info', '--', 'sh', '-c', script]);
    end = new DaemonEnd(SECRET);
    const daemon = end;
    await daemon.dial(await listening(started));
    await daemon.until('attached', () => daemon.attachments[0]);
    started.stdin.write('\n');
    assert.equal(await started.exitCode(), 6);
    await daemon.until('the end', () => daemon.ended);
  });

  describe('on stdin and stdout', () => {
    async function overStdio(secret: string): Promise<{
      readonly daemon: DaemonEnd;
      readonly attached: Promise<void>;
      readonly stdin: NodeJS.WritableStream;
      readonly exited: Promise<number>;
    }> {
      const child = spawn(process.execPath, [await agentBundle(), '--stdio'], {
        env: { ...ENV, ERL_EPMD_PORT: noEpmd },
        stdio: ['pipe', 'pipe', 'ignore'],
      });
      const exited = once(child, 'exit').then(([code]) => code as number);
      const daemon = new DaemonEnd(secret);
      const pipe = pairPipe(child.stdout, child.stdin, 'child');
      return { daemon, attached: daemon.attach(pipe), stdin: child.stdin, exited };
    }

    it('speaks with a daemon, and ends with the session', async () => {
      const { daemon, attached, exited } = await overStdio(SECRET);
      await attached;
      await daemon.directory(({ epmdDown }) => epmdDown);
      await daemon.end();
      assert.equal(await exited, 0);
    });

    it('ends when its stdin does', async () => {
      const { attached, daemon, stdin, exited } = await overStdio(SECRET);
      await attached;
      stdin.end();
      assert.equal(await exited, 0);
      await daemon.until('the loss', () => daemon.losses[0]);
    });

    it('ends with 5 when the secret is wrong', async () => {
      const { attached, exited } = await overStdio('another secret altogether');
      await assert.rejects(attached, (error) => {
        return EpmuxError.is(error, 'SECRET_REFUSED');
      });
      assert.equal(await exited, 5);
    });
  });
});
