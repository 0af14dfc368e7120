/**
 * The daemon's end of a session in a few lines, for tests of an agent: dials, attaches, opens
 * streams, keeps what came.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { SESSION_ID_BYTES } from '../../src/protocol/constants.ts';
import type { EpmuxError } from '../../src/protocol/errors.ts';
import { attachSession } from '../../src/runtime/attach-session.ts';
import { type Clock, systemClock } from '../../src/runtime/clock.ts';
import type { BytePipe } from '../../src/runtime/pipe.ts';
import { SessionDriver } from '../../src/runtime/session-driver.ts';
import type { SessionStream } from '../../src/runtime/session-stream.ts';
import { duplexPipe } from '../../src/runtime/socket-pipe.ts';
import { SESSION_DEFAULTS } from '../../src/session/config.ts';
import { Session } from '../../src/session/session.ts';
import type { Directory, EndReason, PeerInfo } from '../../src/session/types.ts';
import { HELLO_MS } from './hello-ms.ts';

const WAIT_MS = 10_000;

/** A session that a test leaves behind, waiting for a new pipe, does not keep the process. */
const clock: Clock = {
  ...systemClock,
  wakeAt(at, fire) {
    const timer = setTimeout(fire, Math.max(0, at - systemClock.now())).unref();
    return () => clearTimeout(timer);
  },
};

export class DaemonEnd {
  readonly driver: SessionDriver;
  readonly directories: Directory[] = [];
  readonly attachments: { readonly resumed: boolean; readonly peer: PeerInfo }[] = [];
  readonly losses: EpmuxError[] = [];
  ended: { readonly reason: EndReason; readonly error: EpmuxError | undefined } | undefined;
  socket: Socket | undefined;
  readonly #secret: Uint8Array;
  readonly #watchers = new Set<() => void>();

  constructor(secret: string, id: Uint8Array = randomBytes(SESSION_ID_BYTES)) {
    this.#secret = Buffer.from(secret);
    this.driver = new SessionDriver({
      session: new Session('daemon', SESSION_DEFAULTS, id, clock.now()),
      clock,
      handlers: {
        onAttached: (resumed, peer) => this.#note(() => this.attachments.push({ resumed, peer })),
        onPipeLost: (error) => this.#note(() => this.losses.push(error)),
        onEnded: (reason, error) =>
          this.#note(() => {
            this.ended = { reason, error };
          }),
        onDirectory: (directory) => this.#note(() => this.directories.push(directory)),
        onIncoming: (stream) => stream.reject({ code: 10, text: '' }),
        onRtt: () => {},
      },
    });
  }

  /** Dials and attaches or resumes; rejects as `attachSession` does. */
  async dial(port: number): Promise<void> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    this.socket = socket;
    await this.attach(duplexPipe(socket, 'agent'));
  }

  async attach(pipe: BytePipe): Promise<void> {
    await attachSession(this.driver, pipe, {
      secret: this.#secret,
      software: 'epmux/test',
      clock,
      helloTimeoutMs: HELLO_MS,
    });
  }

  /** The first value that `look` finds, now or after something happened. */
  async until<T>(what: string, look: () => T | undefined): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    let watch = (): void => {};
    try {
      return await new Promise<T>((resolve, reject) => {
        timer = setTimeout(
          () => reject(new Error(`waited for ${what}; ended: ${JSON.stringify(this.ended)}`)),
          WAIT_MS,
        );
        watch = () => {
          const found = look();
          if (found !== undefined) resolve(found);
        };
        this.#watchers.add(watch);
        watch();
      });
    } finally {
      clearTimeout(timer);
      this.#watchers.delete(watch);
    }
  }

  directory(fits: (directory: Directory) => boolean): Promise<Directory> {
    return this.until('a directory', () => {
      const last = this.directories.at(-1);
      return last !== undefined && fits(last) ? last : undefined;
    });
  }

  open(target: string): TestStream {
    return new TestStream(this.driver.open(target, 'interactive'));
  }

  async end(): Promise<void> {
    this.driver.goodbye({ code: 0, text: '' });
    await this.until('the end', () => this.ended);
    this.socket?.destroy();
  }

  #note(change: () => void): void {
    change();
    for (const watch of this.#watchers) watch();
  }
}

/** A stream that keeps what comes out of it. */
export class TestStream {
  readonly stream: SessionStream;
  /** Undefined once closed in order. */
  readonly closed: Promise<EpmuxError | undefined>;
  #received = Buffer.alloc(0);
  #changed: (() => void) | undefined;

  constructor(stream: SessionStream) {
    this.stream = stream;
    this.closed = new Promise((resolve) => {
      stream.start({
        onBytes: (chunk) => {
          this.#received = Buffer.concat([this.#received, chunk]);
          this.#changed?.();
        },
        onWritable() {},
        onEnd: () => stream.end(),
        onClosed: (error) => resolve(error),
      });
    });
  }

  /** The first `count` bytes, once there. */
  async bytes(count: number): Promise<Buffer> {
    const enough = new Promise<void>((resolve) => {
      this.#changed = () => {
        if (this.#received.length >= count) resolve();
      };
      this.#changed();
    });
    const closed = this.closed.then((error) => {
      if (this.#received.length >= count) return;
      throw error ?? new Error(`closed after ${this.#received.length} of ${count} bytes`);
    });
    await Promise.race([enough, closed]);
    return this.#received.subarray(0, count);
  }
}
