import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { SESSION_ID_BYTES, WireCode } from '../../protocol/constants.ts';
import { EpmuxError } from '../../protocol/errors.ts';
import { wireError, wireReason } from '../../protocol/wire-codes.ts';
import { attachSession } from '../../runtime/attach-session.ts';
import { abortError } from '../../runtime/attempt.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { BytePipe } from '../../runtime/pipe.ts';
import { SessionDriver } from '../../runtime/session-driver.ts';
import { SOFTWARE } from '../../runtime/version.ts';
import { deferred, within } from '../../runtime/wait.ts';
import type { Directory, EndReason, PeerInfo, SessionPort } from '../../session/types.ts';
import { splitNodeName } from '../names.ts';
import type { Connection } from './connection-loop.ts';
import { type LinkEvents, type LinkFigures, NO_FIGURES, type NodeWay } from './link.ts';
import { WatchedPipe } from './watched-pipe.ts';

/** How long the last words may take to reach the agent. */
const GOODBYE_MS = 1_500;

export interface AgentWayOptions {
  readonly createSession: (id: Uint8Array) => SessionPort;
  /** For hello and proof together. */
  readonly helloMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly events: LinkEvents;
}

/** The attach that runs, then the pipe that stands. */
interface Attachment {
  attached(): void;
  failed(error: EpmuxError): void;
}

/**
 * Nodes through a session with an agent. The session is kept while there is no pipe, as are its
 * streams; when it has ended, every stream is closed at once, what was known of the nodes is void,
 * and the next pipe begins a new one.
 */
export class AgentWay implements NodeWay {
  readonly mode = 'agent';
  readonly ticks = 'feed';
  readonly #options: AgentWayOptions;
  #driver: SessionDriver | undefined;
  #sessionId: string | undefined;
  #attachment: Attachment | undefined;
  #everAttached = false;
  /** The short names of the nodes whose cookies the agent knows. */
  #cookies: ReadonlySet<string> = new Set();
  /** Of the sessions before this one. */
  #past: LinkFigures = NO_FIGURES;
  #peer: PeerInfo | undefined;
  #pipeClosed: Promise<void> = Promise.resolve();

  constructor(options: AgentWayOptions) {
    this.#options = options;
  }

  /** What the agent called itself last, such as `epmux/0.1.0`; empty: none was ever there. */
  get agentSoftware(): string {
    return this.#peer?.software ?? '';
  }

  /** 32 hexadecimal digits; undefined: there is no session. */
  get sessionId(): string | undefined {
    return this.#driver === undefined ? undefined : this.#sessionId;
  }

  /** There is a session that was attached and can still be resumed, as far as is known here. */
  get holdsSession(): boolean {
    return this.#driver !== undefined && this.#everAttached;
  }

  /**
   * Takes the pipe over. Fails as `attachSession` does, and with SESSION_LOST when the agent does
   * not know the session any more.
   */
  async attach(pipe: BytePipe, secret: Uint8Array, signal: AbortSignal): Promise<Connection> {
    this.#driver ??= this.#newDriver();
    const driver = this.#driver;
    const attached = deferred();
    attached.promise.catch(() => undefined);
    const lost = deferred<EpmuxError>();
    this.#attachment = {
      attached: attached.resolve,
      failed(error) {
        attached.reject(error);
        lost.resolve(error);
      },
    };
    const onAbort = () => {
      driver.detach();
      this.#attachment?.failed(abortError('attaching to the agent', signal));
    };
    const { clock, helloMs } = this.#options;
    await attachSession(driver, this.#watch(pipe), {
      secret,
      clock,
      helloTimeoutMs: helloMs,
      signal,
      software: SOFTWARE,
      hostName: hostname(),
    });
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
    try {
      await attached.promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
    return { lost: lost.promise };
  }

  openNode(short: string): BytePipe {
    if (this.#driver === undefined || !this.#everAttached) {
      throw new EpmuxError('TUNNEL_DOWN', 'there is no session with the agent at the moment');
    }
    return this.#driver.open(`node/${short}`, 'interactive');
  }

  knowsCookie(short: string): boolean {
    return this.#cookies.has(short);
  }

  figures(): LinkFigures {
    const past = this.#past;
    const stats = this.#driver?.stats();
    const incarnation = this.#peer?.bootId ?? null;
    if (stats === undefined) return { ...past, rttMs: null, streams: 0, incarnation };
    return {
      rttMs: stats.rttMs ?? null,
      bytesIn: past.bytesIn + stats.bytesIn,
      bytesOut: past.bytesOut + stats.bytesOut,
      streams: stats.streams,
      resumes: past.resumes + stats.resumes,
      outageMs: past.outageMs + stats.outageMs,
      incarnation,
    };
  }

  probe(): void {
    this.#driver?.probe();
  }

  /** The agent is known to have forgotten the session: ends it here without a word. */
  abandon(error: EpmuxError): void {
    this.#driver?.goodbye(wireReason(error));
  }

  async close(): Promise<void> {
    const { clock } = this.#options;
    this.#driver?.goodbye({ code: WireCode.NONE, text: 'the tunnel is taken down' });
    await within(clock, GOODBYE_MS, this.#pipeClosed);
  }

  #watch(pipe: BytePipe): BytePipe {
    const closed = deferred();
    this.#pipeClosed = closed.promise;
    return new WatchedPipe(pipe, { onClosed: closed.resolve });
  }

  #newDriver(): SessionDriver {
    const { createSession, clock, logger } = this.#options;
    this.#everAttached = false;
    const id = randomBytes(SESSION_ID_BYTES);
    this.#sessionId = id.toString('hex');
    const driver: SessionDriver = new SessionDriver({
      session: createSession(id),
      clock,
      handlers: {
        onAttached: (resumed, peer) => {
          this.#peer = peer;
          this.#everAttached = true;
          logger.info('attached to the agent', {
            resumed,
            agent: peer.software,
            boot: peer.bootId,
          });
          this.#attachment?.attached();
        },
        onPipeLost: (error) => this.#attachment?.failed(error),
        onEnded: (reason, error) => this.#onEnded(driver, reason, error),
        onDirectory: (directory) => this.#onDirectory(directory),
        onIncoming: (stream) => stream.reject({ code: WireCode.UNKNOWN_TARGET, text: '' }),
        onRtt: () => undefined,
        onFault: (error) =>
          logger.error('a stream was ended for a bug', {
            why: error.message,
            stack: String(error.cause),
          }),
      },
    });
    return driver;
  }

  #onDirectory(directory: Directory | undefined): void {
    const known = directory?.nodes.filter(({ cookieKnown }) => cookieKnown) ?? [];
    this.#cookies = new Set(known.map(({ name }) => splitNodeName(name).short));
    this.#options.events.onDirectory(directory);
  }

  #onEnded(driver: SessionDriver, reason: EndReason, error: EpmuxError | undefined): void {
    if (this.#driver !== driver) return;
    this.#past = this.figures();
    this.#driver = undefined;
    this.#everAttached = false;
    const why = error ?? wireError(reason);
    this.#options.logger.info('the session with the agent has ended', { reason: why.message });
    this.#onDirectory(undefined);
    this.#attachment?.failed(why);
  }
}
