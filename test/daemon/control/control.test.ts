import assert from 'node:assert/strict';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import type { ControlMethods } from '../../../src/daemon/control/api.ts';
import { ControlClient } from '../../../src/daemon/control/client.ts';
import {
  type ControlCall,
  type ControlHandlers,
  ControlServer,
} from '../../../src/daemon/control/server.ts';
import { MAX_LINE_BYTES, RpcCode } from '../../../src/daemon/control/wire.ts';
import { object, optional, text } from '../../../src/daemon/validate.ts';
import { EpmuxError } from '../../../src/protocol/errors.ts';
import { RecordingLogger } from '../../support/recording-logger.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const UP = { spec: {}, secrets: {} } as unknown as ControlMethods['up'][0];

function never(): never {
  throw new Error('not asked for here');
}

/** Handlers that answer `hello`, do what the test says on `up`, and fail on `down`. */
function handlers(up: (call: ControlCall) => Promise<unknown>): ControlHandlers {
  const anything = <T>(value: unknown) => value as T;
  return {
    supervise: { params: anything, run: () => ({ digest: '', restarts: 0 }) },
    hello: { params: object<Record<string, never>>({}), run: () => ({ version: '1', pid: 7 }) },
    up: { params: anything, run: async (_, call) => (await up(call)) as never },
    down: {
      params: anything,
      run: () => {
        throw new EpmuxError('TUNNEL_NOT_FOUND', 'none', { hint: 'look', details: { a: 'b' } });
      },
    },
    status: {
      params: object<{ readonly name?: string }>({ name: optional(text(5)) }),
      run: () => {
        throw new TypeError('a bug');
      },
    },
    leading: { params: anything, run: never },
    spec: { params: anything, run: never },
    resolve: { params: anything, run: never },
    ping: { params: anything, run: never },
    exec: { params: anything, run: never },
  };
}

/** A client that speaks as it likes. */
class Raw {
  readonly socket: net.Socket;
  #heard = '';

  constructor(path: string) {
    this.socket = net.connect(path);
    this.socket.setEncoding('utf8').on('data', (chunk: string) => {
      this.#heard += chunk;
    });
    this.socket.on('error', () => undefined);
  }

  async untilClosed(): Promise<{ error: { code: number; message: string } }[]> {
    if (!this.socket.closed) await once(this.socket, 'close');
    return this.#heard
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  }
}

describe('the control socket', () => {
  const folder = tempFolder();
  let path: string;
  let logger: RecordingLogger;
  let server: ControlServer;
  let clients: ControlClient[];
  let onUp: (call: ControlCall) => Promise<unknown>;

  beforeEach(async () => {
    path = join(folder.path, 'control.sock');
    logger = new RecordingLogger();
    clients = [];
    onUp = async () => ({});
    server = await ControlServer.listen(
      path,
      handlers((call) => onUp(call)),
      logger,
    );
  });
  afterEach(async () => {
    for (const client of clients) client.close();
    await server.close();
  });

  const connect = async () => {
    const client = await ControlClient.connect(path);
    clients.push(client);
    return client;
  };

  it('is for its owner alone', () => {
    assert.equal(statSync(path).mode & 0o777, 0o600);
  });

  it('answers many calls of one client at once, in whatever order', async () => {
    const client = await connect();
    let answer: (value: unknown) => void = () => undefined;
    onUp = () => new Promise((resolve) => (answer = resolve));
    const slow = client.call('up', UP);
    assert.deepEqual(await client.call('hello', {}), { version: '1', pid: 7 });
    answer({ alreadyUp: true });
    assert.deepEqual(await slow, { alreadyUp: true });
  });

  it('tells progress to the call that it belongs to', async () => {
    const client = await connect();
    onUp = async ({ progress }) => {
      progress('connecting');
      progress('connected', true);
      return {};
    };
    const steps: unknown[] = [];
    await client.call('up', UP, { onProgress: (step) => steps.push(step) });
    assert.deepEqual(steps, [
      { step: 'connecting', done: false },
      { step: 'connected', done: true },
    ]);
  });

  it('brings errors over with code, message, hint and details', async () => {
    const client = await connect();
    await assert.rejects(client.call('down', {}), (error) => {
      assert.ok(error instanceof EpmuxError);
      const { code, message, hint, details } = error;
      assert.deepEqual(
        { code, message, hint, details },
        { code: 'TUNNEL_NOT_FOUND', message: 'none', hint: 'look', details: { a: 'b' } },
      );
      return true;
    });
  });

  it("makes a handler's own failure INTERNAL, logs it, and goes on", async () => {
    const client = await connect();
    await assert.rejects(client.call('status', {}), { code: 'INTERNAL' });
    assert.ok(logger.has('a bug'));
    await client.call('hello', {});
  });

  it('refuses params that are wrong, by the name of the field, and goes on', async () => {
    const client = await connect();
    await assert.rejects(client.call('status', { name: 'too long' }), {
      code: 'CONTROL_PROTOCOL',
      message: /params\.name/,
    });
    await client.call('hello', {});
  });

  it('refuses a method that it does not know, and goes on', async () => {
    const client = await connect();
    await assert.rejects(client.call('sing' as 'hello', {}), { message: /no method sing/ });
    await assert.rejects(client.call('toString' as 'hello', {}), { message: /no method/ });
    await client.call('hello', {});
  });

  it('closes who sends what is no JSON, with the error, and nobody else', async () => {
    const client = await connect();
    const raw = new Raw(path);
    raw.socket.write('GET / HTTP/1.1\r\n\r\n');
    const [answer] = await raw.untilClosed();
    assert.equal(answer?.error.code, RpcCode.parse);
    await client.call('hello', {});
  });

  it('closes who sends JSON that is no request', async () => {
    for (const line of ['[]', '7', 'null', '{"id":1}', '{"method":7,"id":1}', '"x"']) {
      const raw = new Raw(path);
      raw.socket.write(`${line}\n{"id":2,"method":"hello"}\n`);
      const answers = await raw.untilClosed();
      assert.equal(answers.length, 1, line);
      assert.equal(answers[0]?.error.code, RpcCode.invalidRequest);
    }
  });

  it('closes who sends a line that does not end', async () => {
    const client = await connect();
    const raw = new Raw(path);
    raw.socket.write('x'.repeat(MAX_LINE_BYTES + 1));
    const [answer] = await raw.untilClosed();
    assert.equal(answer?.error.code, RpcCode.invalidRequest);
    await client.call('hello', {});
  });

  it('refuses more calls of one client than it has room for', async () => {
    const client = await connect();
    onUp = () => new Promise(() => undefined);
    const waiting = Array.from({ length: 16 }, () => client.call('up', UP));
    await assert.rejects(client.call('hello', {}), { code: 'BUSY' });
    client.close();
    for (const call of waiting) await assert.rejects(call, { code: 'DAEMON_NOT_RUNNING' });
  });

  it('refuses more clients than it has room for, and takes new ones when some have gone', async () => {
    const first = await connect();
    while (clients.length < 64) await connect();
    for (const client of clients) await client.call('hello', {});
    const late = await ControlClient.connect(path);
    await assert.rejects(late.call('hello', {}), { code: 'DAEMON_NOT_RUNNING' });
    const gone = new Promise<void>((resolve) => server.onClientsChanged(resolve));
    first.close();
    await gone;
    await (await connect()).call('hello', {});
  });

  it('aborts what a client waits for when the client is gone', async () => {
    const client = await connect();
    const aborted = new Promise<void>((resolve) => {
      onUp = ({ signal }) => {
        signal.addEventListener('abort', () => resolve());
        client.close();
        return new Promise(() => undefined);
      };
    });
    await assert.rejects(client.call('up', UP), { code: 'DAEMON_NOT_RUNNING' });
    await aborted;
  });

  it('aborts what a client cancels, and the connection stays', async () => {
    const client = await connect();
    const interrupt = new AbortController();
    const aborted = new Promise<void>((resolve) => {
      onUp = ({ signal }) => {
        signal.addEventListener('abort', () => resolve());
        interrupt.abort();
        return new Promise(() => undefined);
      };
    });
    const call = client.call('up', UP, { signal: interrupt.signal });
    await assert.rejects(call, { code: 'INTERRUPTED' });
    await aborted;
    await client.call('hello', {});
  });

  it('is waited for within a limit', async () => {
    const client = await connect();
    const aborted = new Promise<void>((resolve) => {
      onUp = ({ signal }) => {
        signal.addEventListener('abort', () => resolve());
        return new Promise(() => undefined);
      };
    });
    await assert.rejects(client.call('up', UP, { timeoutMs: 20 }), { code: 'TIMEOUT' });
    await aborted;
  });

  it('tells a command that no daemon runs', async () => {
    await assert.rejects(ControlClient.connect(join(folder.path, 'none')), {
      code: 'DAEMON_NOT_RUNNING',
    });
  });

  it('tells a command when the daemon ends in the middle of a call', async () => {
    const client = await connect();
    onUp = () => {
      void server.close();
      return new Promise(() => undefined);
    };
    await assert.rejects(client.call('up', UP), { code: 'DAEMON_NOT_RUNNING' });
    await assert.rejects(client.call('hello', {}), { code: 'DAEMON_NOT_RUNNING' });
  });

  it('lets last answers out before it closes', async () => {
    const client = await connect();
    onUp = async () => {
      setImmediate(() => void server.close());
      return { alreadyUp: false };
    };
    assert.deepEqual(await client.call('up', UP), { alreadyUp: false });
  });

  it('is taken over from a daemon that died, not from one that lives', async () => {
    await assert.rejects(ControlServer.listen(path, handlers(never), logger), {
      code: 'DAEMON_BUSY',
    });
    const stale = join(folder.path, 'stale.sock');
    const dead = net.createServer().listen(stale);
    await once(dead, 'listening');
    // What a crash leaves: the file, and nobody behind it.
    const { renameSync } = await import('node:fs');
    renameSync(stale, `${stale}.kept`);
    dead.close();
    renameSync(`${stale}.kept`, stale);
    const next = await ControlServer.listen(stale, handlers(never), logger);
    await (await ControlClient.connect(stale)).call('hello', {});
    await next.close();
  });

  it('tells a command that something else answers there', async () => {
    const other = join(folder.path, 'other.sock');
    const stranger = net.createServer((socket) => socket.end('220 welcome\n')).listen(other);
    await once(stranger, 'listening');
    const client = await ControlClient.connect(other);
    await assert.rejects(client.call('hello', {}), { code: 'CONTROL_PROTOCOL' });
    stranger.close();
  });
});
