import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { AgentBundle } from '../../../src/daemon/links/agent-bundle.ts';
import { type PushedAgent, pushAgent } from '../../../src/daemon/links/push.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import type { BytePipe } from '../../../src/runtime/pipe.ts';
import type { Carrier, RemoteProcess } from '../../../src/transport/transport.ts';
import { agentBundle } from '../../support/agent-process.ts';
import { DaemonEnd } from '../../support/daemon-end.ts';
import { freePort } from '../../support/erlang.ts';
import { PushHost } from '../../support/push-host.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const never = new AbortController().signal;

/** What is written to a remote process is changed on its way; `at` counts the bytes before. */
function tapped(carrier: Carrier, change: (chunk: Uint8Array, at: number) => Uint8Array): Carrier {
  return {
    ...carrier,
    async exec(request, signal): Promise<RemoteProcess> {
      const real = await carrier.exec?.(request, signal);
      assert.ok(real !== undefined);
      let at = 0;
      const io: BytePipe = Object.create(real.io, {
        write: {
          value(chunk: Uint8Array) {
            const changed = change(chunk, at);
            at += chunk.length;
            return real.io.write(changed);
          },
        },
      });
      return {
        io,
        exited: real.exited,
        onStderr: (listener) => real.onStderr(listener),
        resize: (columns, rows) => real.resize(columns, rows),
        signal: (name) => real.signal(name),
        close: () => real.close(),
      };
    },
  };
}

describe('pushing an agent', function () {
  this.timeout(30_000);
  const folder = tempFolder();
  let host: PushHost;
  let carrier: Carrier;
  let epmdPort = 0;
  let bundle = '';

  before(async () => {
    host = await PushHost.start();
    epmdPort = await freePort();
    bundle = await agentBundle();
  });
  after(() => host.stop());
  beforeEach(async () => {
    carrier = await host.connect();
  });
  afterEach(async () => {
    carrier.close();
    await host.deserted();
  });

  const push = (over = carrier, file = bundle, signal = never): Promise<PushedAgent> =>
    pushAgent(
      over,
      { epmdPort, clock: systemClock, logger: silentLogger, bundle: new AgentBundle(file) },
      signal,
    );
  const stub = (code: string): string => {
    const file = join(folder.path, 'agent.mjs');
    writeFileSync(file, code);
    return file;
  };

  it('starts it with a secret of its own, and leaves no file while it runs', async () => {
    const [first, second] = await Promise.all([push(), push()]);
    assert.notEqual(first.secret, second.secret);
    assert.notEqual(first.port, second.port);
    assert.equal(first.node, process.version);
    assert.deepEqual(host.files(), []);
    const commands = [...host.processes().values()].join('\n');
    assert.ok(!commands.includes(first.secret));
    for (const { port, secret } of [first, second]) {
      const daemon = new DaemonEnd(secret);
      await daemon.dial(port);
      await daemon.until('attached', () => daemon.attachments[0]);
      // Its last session's end is its own; the other one is another tunnel's.
      await daemon.end();
    }
  });

  it('leaves no listener on a signal behind, which would keep its connection for good', async () => {
    const signals: AbortSignal[] = [];
    const watched: Carrier = {
      ...carrier,
      exec: (request, signal) => {
        signals.push(signal);
        return carrier.exec?.(request, signal) ?? assert.fail('nothing runs there');
      },
    };
    const { port, secret } = await push(watched);
    await assert.rejects(push(watched, stub('process.exit(1);')), { code: 'AGENT_MISSING' });
    assert.equal(signals.length, 2);
    for (const signal of signals) assert.equal(getEventListeners(signal, 'abort').length, 0);
    const daemon = new DaemonEnd(secret);
    await daemon.dial(port);
    await daemon.until('attached', () => daemon.attachments[0]);
    await daemon.end();
  });

  it('starts what outlives the connection it came by', async () => {
    const { port, secret } = await push();
    const daemon = new DaemonEnd(secret);
    await daemon.dial(port);
    await host.sshd.resetConnections();
    await daemon.directory(({ epmdDown }) => epmdDown);
    await daemon.end();
  });

  it('hands over what nobody else may read', async () => {
    const report = join(folder.path, 'report');
    const file = stub(`
      import { lstatSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
      const folder = process.argv[3];
      const names = ['', '/agent.mjs', '/secret'];
      const modes = names.map((name) => (lstatSync(folder + name).mode & 0o777).toString(8));
      const secret = readFileSync(folder + '/secret', 'utf8');
      writeFileSync(${JSON.stringify(report)}, JSON.stringify({ argv: process.argv.slice(2), modes, secret }));
      rmSync(folder, { recursive: true });
      console.log('ready');
    `);
    const { port, secret } = await push(carrier, file);
    const told = JSON.parse(readFileSync(report, 'utf8'));
    assert.ok(port > 0);
    assert.deepEqual(told.modes, ['700', '600', '600']);
    assert.equal(told.secret, secret);
    assert.equal(told.argv[0], '--pushed');
    assert.deepEqual(told.argv.slice(2), ['--listen-fd', '3', '--epmd-port', String(epmdPort)]);
  });

  it('starts nothing of an upload that was damaged', async () => {
    const damaged = tapped(carrier, (chunk, at) => {
      if (at === 0) return chunk;
      const changed = Buffer.from(chunk);
      changed[changed.length >> 1] = (changed[changed.length >> 1] ?? 0) ^ 1;
      return changed;
    });
    await assert.rejects(push(damaged), { code: 'AGENT_MISSING' });
    const otherSum = tapped(carrier, (chunk, at) => {
      if (at > 0) return chunk;
      const text = Buffer.from(chunk).toString('latin1');
      return Buffer.from(text.replace(/"sha256":"./, '"sha256":"x'), 'latin1');
    });
    await assert.rejects(push(otherSum), { code: 'AGENT_MISSING', message: /not what was sent/ });
  });

  it('leaves nothing of an upload that was given up', async () => {
    const abort = new AbortController();
    const cut = tapped(carrier, (chunk, at) => {
      if (at > 0) abort.abort();
      return chunk;
    });
    await assert.rejects(push(cut, bundle, abort.signal), { code: 'INTERRUPTED' });
  });

  it('leaves nothing when the connection breaks in mid-upload', async () => {
    let broken: Promise<void> | undefined;
    const cut = tapped(carrier, (chunk, at) => {
      if (at > 0) broken ??= host.sshd.resetConnections();
      return chunk;
    });
    await assert.rejects(push(cut), { code: 'PIPE_LOST' });
    await broken;
  });

  it('leaves nothing of an agent that does not say where it listens before it is given up', async () => {
    const abort = new AbortController();
    const pushed = push(carrier, stub('setInterval(() => {}, 1_000);'), abort.signal);
    pushed.catch(() => undefined);
    while (host.files().length === 0) await delay(10);
    abort.abort();
    await assert.rejects(pushed, { code: 'INTERRUPTED' });
  });

  it('has a port that takes connections before the agent answers, and drops them when it never does', async () => {
    const file = stub(`
      import { createServer } from 'node:net';
      createServer(() => process.exit(3)).listen({ fd: 3 });
    `);
    const opening: Promise<BytePipe>[] = [];
    const onPort = (port: number): void => void opening.push(carrier.openAgentPipe(never, port));
    const options = {
      epmdPort,
      clock: systemClock,
      logger: silentLogger,
      bundle: new AgentBundle(file),
      onPort,
    };
    const pushed = pushAgent(carrier, options, never);
    await assert.rejects(pushed, { code: 'AGENT_MISSING', message: /exit 3/ });
    const pipe = await opening[0];
    assert.ok(pipe !== undefined);
    const onEnd = () => pipe.end();
    const idle = { onBytes: () => assert.fail(), onWritable: () => undefined, onEnd };
    await new Promise<void>((done) => pipe.start({ ...idle, onClosed: () => done() }));
  });

  it('tells why an agent does not start', async () => {
    const failed = push(carrier, stub("console.error('epmux: no way'); process.exit(3);"));
    await assert.rejects(failed, { code: 'AGENT_MISSING', message: /exit 3: epmux: no way/ });
  });

  it('says so where this program has none to push', async () => {
    const failed = push(carrier, join(folder.path, 'none.mjs'));
    await assert.rejects(failed, { code: 'AGENT_MISSING', message: /its file is not there/ });
  });
});
