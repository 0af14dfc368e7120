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
import { HELLO_MS } from '../support/hello-ms.ts';

const SECRET = Buffer.from('a secret of at least 16 bytes');

/**
 * A daemon's and an agent's driver with real sessions, joined by real sockets that the test cuts.
 */
export class Tunnel {
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
        helloTimeoutMs: HELLO_MS,
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
      helloTimeoutMs: HELLO_MS,
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
export function pour(pipe: BytePipe, payload: Uint8Array): void {
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
export function echo(stream: IncomingStream): void {
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

export const sha256 = (bytes: Uint8Array): string =>
  createHash('sha256').update(bytes).digest('hex');
