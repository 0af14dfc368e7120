import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { EpmuxError } from '../../../src/protocol/errors.ts';
import type { Carrier } from '../../../src/transport/transport.ts';
import { FarEnd } from '../../support/far-end.ts';
import { leaveOut, NO_TERMINALS } from '../../support/left-out.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { RecordingLogger } from '../../support/recording-logger.ts';
import { own } from '../../support/recording-pipe.ts';
import { startSshd, type TestSshd } from '../../support/sshd.ts';
import { until } from '../../support/until.ts';
import { connectTo, type SshChoices } from './support.ts';

const never = new AbortController().signal;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}

describe('an SSH connection', () => {
  let sshd: TestSshd;
  let far: FarEnd;

  before(async () => {
    sshd = await startSshd();
    far = await FarEnd.start();
  });
  afterEach(async () => {
    await sshd.up();
    await until(() => sshd.connections === 0);
  });
  after(async () => {
    far.stop();
    await sshd.stop();
  });

  const within = async (
    choices: SshChoices,
    body: (carrier: Carrier) => Promise<void>,
    server = sshd,
  ): Promise<void> => {
    const carrier = await connectTo(server, choices);
    try {
      await body(carrier);
    } finally {
      carrier.close();
    }
  };

  it('says that no agent listens on the agent’s port, and no more of another port', async () => {
    const port = await freePort();
    await within({ agentPort: port }, async (carrier) => {
      await assert.rejects(carrier.openAgentPipe(never), { code: 'AGENT_MISSING' });
      await assert.rejects(carrier.dial?.(port, never) ?? Promise.resolve(), {
        code: 'CONNECT_FAILED',
      });
    });
  });

  it('reaches any port of the server’s loopback', async () => {
    await within({}, async (carrier) => {
      const [pipe, socket] = await Promise.all([carrier.dial?.(far.port, never), far.next()]);
      assert.ok(pipe);
      const owner = own(pipe);
      socket.end('a node');
      await owner.called('end');
      assert.equal(owner.text, 'a node');
    });
  });

  it('says what to change on a server that forbids forwarding', async () => {
    const strict = await startSshd({ config: ['AllowTcpForwarding no'] });
    try {
      await within(
        { agentPort: far.port },
        async (carrier) => {
          await assert.rejects(carrier.openAgentPipe(never), (error) => {
            assert.ok(error instanceof EpmuxError);
            assert.equal(error.code, 'CONNECT_FAILED');
            assert.match(error.hint, /AllowTcpForwarding/);
            return true;
          });
        },
        strict,
      );
    } finally {
      await strict.stop();
    }
  });

  it('holds a terminal, so that the server sends small messages at once', async function () {
    if (!sshd.terminals) leaveOut(this, NO_TERMINALS);
    const before = sshd.log().length;
    await within({}, async () => {
      await until(() => /Starting session: command on \S+ for/.test(sshd.log().slice(before)));
    });
  });

  it('is used without a terminal where the server gives none', async () => {
    const strict = await startSshd({ config: ['PermitTTY no'] });
    const logger = new RecordingLogger();
    try {
      await within(
        { agentPort: far.port, logger },
        async (carrier) => {
          await until(() => logger.lines.some((line) => line.includes('no terminal is held')));
          const [pipe, socket] = await Promise.all([carrier.openAgentPipe(never), far.next()]);
          const owner = own(pipe);
          socket.write('works');
          await owner.called('bytes');
        },
        strict,
      );
    } finally {
      await strict.stop();
    }
  });

  it('asks no third time for a terminal where that ends the connection', async () => {
    const hostKey = readFileSync(join(sshd.folder, 'host_ed25519'));
    const touchy = new ssh2.Server({ hostKeys: [hostKey] }, (client) => {
      client.on('error', () => client.end());
      client.on('authentication', (context) => context.accept());
      client.on('session', (accept) => accept().on('pty', () => client.end()));
    });
    touchy.listen(0, '127.0.0.1');
    await once(touchy, 'listening');
    const { port } = touchy.address() as { port: number };
    const logger = new RecordingLogger();
    try {
      for (let i = 0; i < 2; i += 1) {
        const carrier = await connectTo(sshd, { port, logger });
        const error = await new Promise<EpmuxError | undefined>((done) => carrier.onClosed(done));
        assert.equal(error?.code, 'PIPE_LOST');
      }
      await until(() => logger.lines.length === 2);
      const carrier = await connectTo(sshd, { port, logger });
      assert.match(logger.lines.at(-1) ?? '', /it ended the connection when it was asked for one/);
      carrier.close();
    } finally {
      touchy.close();
    }
  });

  it('tells once that it is lost, and takes all its pipes with it', async () => {
    const carrier = await connectTo(sshd, { agentPort: far.port });
    const told: (EpmuxError | undefined)[] = [];
    carrier.onClosed((error) => told.push(error));
    const pipes = [await carrier.openAgentPipe(never), await carrier.openAgentPipe(never)];
    const owners = pipes.map(own);
    await sshd.resetConnections();
    await Promise.all(owners.map((owner) => owner.called('closed')));
    carrier.close();
    for (const owner of owners) assert.equal(owner.error?.code, 'PIPE_LOST');
    assert.equal(told.length, 1);
    assert.match(told[0]?.message ?? '', /ECONNRESET/);
    await assert.rejects(carrier.openAgentPipe(never), { code: 'PIPE_LOST' });
  });

  it('shows no orderly end when it is lost', async () => {
    const carrier = await connectTo(sshd, { agentPort: far.port });
    const owner = own(await carrier.openAgentPipe(never));
    await sshd.resetConnections();
    await owner.called('closed');
    assert.deepEqual(owner.calls, ['closed']);
  });

  it('asks a silent server whether it is there, and its answer counts', async () => {
    const talkative = await startSshd({ config: ['LogLevel DEBUG1'] });
    const clock = new ManualClock();
    try {
      await within(
        { clock },
        async (carrier) => {
          let lost = false;
          carrier.onClosed(() => {
            lost = true;
          });
          clock.advance(8_000);
          await until(() => talkative.log().includes('keepalive@openssh.com'));
          await new Promise((resolve) => setTimeout(resolve, 50));
          clock.advance(8_000);
          assert.equal(lost, false);
        },
        talkative,
      );
    } finally {
      await talkative.stop();
    }
  });

  it('is dead when nothing was heard for 9 s', async () => {
    const clock = new ManualClock();
    const carrier = await connectTo(sshd, { agentPort: far.port, clock });
    const owner = own(await carrier.openAgentPipe(never));
    sshd.freeze();
    // What was on its way counts as heard, once.
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(10_000);
    await owner.called('closed');
    assert.equal(owner.error?.code, 'PIPE_LOST');
    assert.match(owner.error?.message ?? '', /nothing was heard/);
    carrier.close();
    sshd.thaw();
    await sshd.resetConnections();
  });

  it('leaves no timer behind', async () => {
    const clock = new ManualClock();
    const carrier = await connectTo(sshd, { clock, agentPort: far.port });
    const pipe = await carrier.openAgentPipe(never);
    pipe.close();
    carrier.close();
    await until(() => sshd.connections === 0 && clock.waiting === 0);
  });

  it('that breaks at any moment of its beginning is an error of ours', async () => {
    const turns = Array.from({ length: 24 }, (_, i) => i * 3);
    for (const count of turns) {
      const attempt = connectTo(sshd).then(
        (carrier) => new Promise<EpmuxError | undefined>((resolve) => carrier.onClosed(resolve)),
        (error: unknown) => error,
      );
      for (let turn = 0; turn < count; turn += 1) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      await sshd.down();
      await sshd.up();
      // Where the attempt had not been accepted yet, it gets through now.
      const settled = await Promise.race([attempt, until(() => sshd.connections > 0)]);
      if (settled === undefined) await sshd.resetConnections();
      const error = await attempt;
      assert.ok(error instanceof EpmuxError);
      assert.ok(['CONNECT_FAILED', 'PIPE_LOST'].includes(error.code), error.message);
    }
  });
});
