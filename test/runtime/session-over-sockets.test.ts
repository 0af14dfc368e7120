import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import net from 'node:net';
import { attachSession } from '../../src/runtime/attach-session.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { openAgentPipe } from '../../src/runtime/open-session-pipe.ts';
import type { BytePipe } from '../../src/runtime/pipe.ts';
import { SessionDriver } from '../../src/runtime/session-driver.ts';
import type { IncomingStream } from '../../src/runtime/session-stream.ts';
import { duplexPipe } from '../../src/runtime/socket-pipe.ts';
import { SESSION_DEFAULTS } from '../../src/session/config.ts';
import { Session } from '../../src/session/session.ts';
import { own } from '../support/recording-pipe.ts';

const SECRET = Buffer.from('a secret of at least 16 bytes');

/** A daemon's and an agent's driver with real sessions, joined by real sockets that the test cuts. */
class Tunnel {
  readonly news = new EventEmitter();
  readonly daemon: SessionDriver;
  readonly agent: SessionDriver;
  readonly losses: string[] = [];
  /** Epochs, as the daemon got them. */
  readonly directories: number[] = [];
  attached = 0;
  resumed = 0;
  onIncoming: (stream: IncomingStream) => void = (stream) => stream.accept();
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();

  constructor() {
    const id = randomBytes(16);
    this.daemon = this.#driver(new Session('daemon', SESSION_DEFAULTS, id, systemClock.now()), {
      main: true,
    });
    this.agent = this.#driver(new Session('agent', SESSION_DEFAULTS, id, systemClock.now()), {
      main: false,
    });
    this.#server = net.createServer({ allowHalfOpen: true }, (socket) => {
      this.#sockets.add(socket);
      openAgentPipe(duplexPipe(socket, 'the daemon'), {
        secret: SECRET,
        software: 'epmux/agent',
        bootId: Buffer.alloc(16, 1),
        clock: systemClock,
      }).then(
        (opened) => this.agent.acceptAttach(opened),
        () => undefined,
      );
    });
  }

  async listen(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  async connect(): Promise<void> {
    const { port } = this.#server.address() as net.AddressInfo;
    const socket = net.connect({ port, host: '127.0.0.1' });
    this.#sockets.add(socket);
    await once(socket, 'connect');
    await attachSession(this.daemon, duplexPipe(socket, 'the agent'), {
      secret: SECRET,
      software: 'epmux/daemon',
      clock: systemClock,
    });
  }

  /** Connects until the session is attached on a new pipe. */
  async attach(): Promise<void> {
    const before = this.attached;
    while (this.attached === before) {
      await this.connect().catch(() => undefined);
      if (this.attached === before) await once(this.news, 'news');
    }
  }

  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
    this.#sockets.clear();
  }

  async close(): Promise<void> {
    this.daemon.goodbye({ code: 0, text: '' });
    this.agent.goodbye({ code: 0, text: '' });
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.cut();
    await closed;
  }

  #driver(session: Session, { main }: { readonly main: boolean }): SessionDriver {
    const tell = (): void => void this.news.emit('news');
    return new SessionDriver({
      session,
      clock: systemClock,
      handlers: {
        onAttached: (resumed) => {
          if (!main) return;
          this.attached += 1;
          if (resumed) this.resumed += 1;
          tell();
        },
        onPipeLost: (error) => {
          if (main) this.losses.push(error.code);
          tell();
        },
        onEnded: tell,
        onDirectory: (directory) => {
          this.directories.push(directory.epoch);
          tell();
        },
        onIncoming: (stream) => this.onIncoming(stream),
        onRtt: () => {},
      },
    });
  }
}

/** Writes pieces of odd sizes as fast as the pipe takes them, then ends it. */
function pour(pipe: BytePipe, payload: Uint8Array): void {
  let at = 0;
  const pump = (): void => {
    while (at < payload.length) {
      const size = 1 + ((at * 7919) % 60_000);
      const more = pipe.write(payload.subarray(at, at + size));
      at += size;
      if (!more) return;
    }
    pipe.end();
  };
  pipe.start({ onBytes() {}, onWritable: pump, onEnd() {}, onClosed() {} });
  pump();
}

/** Sends back whatever comes, with back-pressure. */
function echo(stream: IncomingStream): void {
  stream.accept();
  stream.start({
    onBytes: (chunk) => {
      if (!stream.write(chunk)) stream.pause();
    },
    onWritable: () => stream.resume(),
    onEnd: () => stream.end(),
    onClosed() {},
  });
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('a session over real sockets', () => {
  let tunnel: Tunnel;

  beforeEach(async () => {
    tunnel = await new Tunnel().listen();
  });
  afterEach(() => tunnel.close());

  it('carries a stream there and back and ends it in order at both ends', async () => {
    await tunnel.attach();
    tunnel.onIncoming = echo;
    const stream = tunnel.daemon.open('node/a', 'interactive');
    const owner = own(stream);
    stream.write(Buffer.from('hello'));
    await stream.accepted;
    stream.end();
    await owner.called('closed');
    assert.deepEqual([owner.text, owner.error], ['hello', undefined]);
    assert.ok(owner.calls.includes('end'));
  });

  it('tells why a target is rejected', async () => {
    await tunnel.attach();
    tunnel.onIncoming = (stream) => stream.reject({ code: 11, text: 'no such node: a' });
    const stream = tunnel.daemon.open('node/a', 'interactive');
    await assert.rejects(stream.accepted, { code: 'NODE_NOT_FOUND', message: 'no such node: a' });
  });

  it('publishes the agent’s directory, and what changed during an outage', async () => {
    const publish = (epoch: number): void =>
      tunnel.agent.setDirectory({ epoch, epmdDown: false, truncated: false, nodes: [] });
    publish(1);
    await tunnel.attach();
    while (tunnel.directories.at(-1) !== 1) await once(tunnel.news, 'news');
    tunnel.cut();
    publish(2);
    await tunnel.attach();
    while (tunnel.directories.at(-1) !== 2) await once(tunnel.news, 'news');
    assert.deepEqual(tunnel.directories, [1, 2]);
  });

  it('loses no byte through cuts in the middle of a transfer in both directions', async () => {
    await tunnel.attach();
    const [down, up] = [randomBytes(6_000_000), randomBytes(4_000_000)];
    const arrivedUp = new EventEmitter();
    tunnel.onIncoming = (stream) => {
      stream.accept();
      const received: Uint8Array[] = [];
      let at = 0;
      const pump = (): void => {
        while (at < down.length) {
          const more = stream.write(down.subarray(at, at + 50_000));
          at += 50_000;
          if (!more) return;
        }
        stream.end();
      };
      stream.start({
        onBytes: (chunk) => received.push(chunk),
        onWritable: pump,
        onEnd: () => arrivedUp.emit('all', Buffer.concat(received)),
        onClosed() {},
      });
      pump();
    };
    const stream = tunnel.daemon.open('node/a', 'bulk');
    const received: Uint8Array[] = [];
    let bytes = 0;
    let cuts = 0;
    let at = 0;
    const allUp = once(arrivedUp, 'all');
    const allDown = new Promise<void>((resolve) => {
      const pump = (): void => {
        while (at < up.length) {
          const more = stream.write(up.subarray(at, at + 33_333));
          at += 33_333;
          if (!more) return;
        }
        stream.end();
      };
      stream.start({
        onBytes: (chunk) => {
          received.push(chunk);
          bytes += chunk.length;
          if (cuts < 10 && bytes > (cuts + 1) * 500_000) {
            cuts += 1;
            tunnel.cut();
            void tunnel.attach();
          }
        },
        onWritable: pump,
        onEnd: resolve,
        onClosed() {},
      });
      pump();
    });
    const [[gotUp]] = (await Promise.all([allUp, allDown])) as unknown as [[Buffer]];
    assert.equal(cuts, 10);
    assert.ok(tunnel.resumed >= 10);
    assert.equal(sha256(Buffer.concat(received)), sha256(down));
    assert.equal(sha256(gotUp), sha256(up));
  });

  it('pushes back on a writer whose reader is paused, and keeps other streams going', async () => {
    await tunnel.attach();
    let paused: IncomingStream | undefined;
    tunnel.onIncoming = (stream) => {
      if (stream.target === 'node/slow') {
        paused = stream;
        stream.accept();
      } else {
        echo(stream);
      }
    };
    const payload = randomBytes(3_000_000);
    const slow = tunnel.daemon.open('node/slow', 'bulk');
    pour(slow, payload);
    const quick = tunnel.daemon.open('node/quick', 'interactive');
    const owner = own(quick);
    quick.write(Buffer.from('still here?'));
    await owner.called('bytes');
    assert.ok(slow.bufferedBytes > 0);
    assert.ok(paused);
    const late = own(paused);
    await late.called('end');
    assert.equal(sha256(late.bytes), sha256(payload));
  });

  it('takes the session over from a pipe that is still there', async () => {
    await tunnel.attach();
    tunnel.onIncoming = echo;
    const stream = tunnel.daemon.open('node/a', 'interactive');
    const owner = own(stream);
    await tunnel.attach();
    stream.write(Buffer.from('same stream'));
    await owner.called('bytes');
    assert.equal(owner.text, 'same stream');
    assert.equal(tunnel.resumed, 1);
    assert.deepEqual(tunnel.losses, []);
  });

  it('ends every stream at both ends with a goodbye', async () => {
    await tunnel.attach();
    const atAgent: IncomingStream[] = [];
    tunnel.onIncoming = (stream) => {
      stream.accept();
      atAgent.push(stream);
    };
    const stream = tunnel.daemon.open('node/a', 'interactive');
    const owner = own(stream);
    await stream.accepted;
    tunnel.agent.goodbye({ code: 9, text: 'the agent stops' });
    await owner.called('closed');
    assert.equal(owner.error?.message, 'the agent stops');
    assert.equal(tunnel.daemon.ended, true);
    const [other] = atAgent;
    assert.ok(other);
    await own(other).called('closed');
  });
});
