/**
 * The agent's end of sessions in a few lines, for tests of the daemon: listens, keeps sessions
 * through cuts, leads `node/NAME` to local ports.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { BOOT_ID_BYTES, WireCode } from '../../src/protocol/constants.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { refusePipe } from '../../src/runtime/linger.ts';
import { openAgentPipe } from '../../src/runtime/open-session-pipe.ts';
import type { BytePipe } from '../../src/runtime/pipe.ts';
import { SessionDriver } from '../../src/runtime/session-driver.ts';
import type { IncomingStream } from '../../src/runtime/session-stream.ts';
import { duplexPipe } from '../../src/runtime/socket-pipe.ts';
import { splice } from '../../src/runtime/splice.ts';
import { SESSION_DEFAULTS } from '../../src/session/config.ts';
import { Session } from '../../src/session/session.ts';
import type { Directory } from '../../src/session/types.ts';
import { HELLO_MS } from './hello-ms.ts';

export interface AgentEndOptions {
  readonly secret: string;
  readonly port?: number;
  /** Full name → port. */
  readonly nodes?: Readonly<Record<string, number>>;
}

export class AgentEnd {
  readonly bootId = randomBytes(BOOT_ID_BYTES);
  /** Pipes that have attached so far. */
  attaches = 0;
  goodbyes = 0;
  /** Connections are taken and nothing is said on them. */
  mute = false;
  /**
   * Sends these bytes on each pipe, once it has brought the answer to a ping: the daemon has long
   * been attached.
   */
  noise: Uint8Array | undefined;
  #newest: BytePipe | undefined;
  readonly #secret: Uint8Array;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new Map<string, SessionDriver>();
  #nodes: Readonly<Record<string, number>>;
  #epoch = 0;
  #epmdDown = false;

  private constructor(options: AgentEndOptions) {
    this.#secret = Buffer.from(options.secret);
    this.#nodes = options.nodes ?? {};
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.once('close', () => this.#sockets.delete(socket));
      if (!this.mute) this.#greet(socket).catch(() => socket.destroy());
    });
  }

  static async start(options: AgentEndOptions): Promise<AgentEnd> {
    const agent = new AgentEnd(options);
    agent.#server.listen(options.port ?? 0, '127.0.0.1');
    await once(agent.#server, 'listening');
    return agent;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections that are open at this moment. */
  get connections(): number {
    return this.#sockets.size;
  }

  setNodes(nodes: Readonly<Record<string, number>>, epmdDown = false): void {
    this.#nodes = nodes;
    this.#epmdDown = epmdDown;
    for (const driver of this.#sessions.values()) driver.setDirectory(this.#directory());
  }

  /** Resets every connection; the sessions stay. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** As a crash: connections are reset, nothing listens, sessions are forgotten without a word. */
  async kill(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.cut();
    for (const driver of this.#sessions.values()) {
      driver.detach();
      driver.goodbye({ code: WireCode.NONE, text: '' });
    }
    this.#sessions.clear();
    await closed;
  }

  async #greet(socket: Socket): Promise<void> {
    const opened = await openAgentPipe(duplexPipe(socket, 'daemon'), {
      secret: this.#secret,
      software: 'epmux/test',
      bootId: this.bootId,
      hostName: 'dyno',
      clock: systemClock,
      helloTimeoutMs: HELLO_MS,
    });
    const { sessionId, kind } = opened.attach;
    const known = this.#sessions.get(sessionId);
    if (known === undefined && kind === 'resume') {
      refusePipe(opened.pipe, { code: WireCode.SESSION_UNKNOWN, text: '' }, systemClock);
      return;
    }
    const driver = known ?? this.#newSession(sessionId);
    this.attaches += 1;
    driver.acceptAttach(opened);
    this.#newest = opened.pipe;
  }

  #newSession(id: string): SessionDriver {
    const driver = new SessionDriver({
      session: new Session('agent', SESSION_DEFAULTS, Buffer.from(id, 'hex'), systemClock.now()),
      clock: systemClock,
      handlers: {
        onAttached: () => undefined,
        onPipeLost: () => undefined,
        onEnded: () => {
          this.goodbyes += 1;
          this.#sessions.delete(id);
        },
        onDirectory: () => undefined,
        onIncoming: (stream) => this.#serve(stream),
        onRtt: () => {
          if (this.noise !== undefined) this.#newest?.write(this.noise);
        },
      },
    });
    this.#sessions.set(id, driver);
    driver.setDirectory(this.#directory());
    return driver;
  }

  #serve(stream: IncomingStream): void {
    const short = stream.target.replace(/^node\//, '');
    const name = Object.keys(this.#nodes).find((node) => node.split('@')[0] === short);
    if (name === undefined) {
      stream.reject({ code: WireCode.NO_SUCH_NODE, text: '' });
      return;
    }
    const socket = connect({
      port: this.#nodes[name] ?? 0,
      host: '127.0.0.1',
      allowHalfOpen: true,
    });
    stream.accept();
    splice(stream, duplexPipe(socket, name));
  }

  #directory(): Directory {
    this.#epoch += 1;
    return {
      epoch: this.#epoch,
      epmdDown: this.#epmdDown,
      truncated: false,
      nodes: Object.entries(this.#nodes).map(([name, port]) => ({
        name,
        visible: true,
        cookieKnown: false,
        port,
        creation: 1,
        release: '25',
      })),
    };
  }
}
