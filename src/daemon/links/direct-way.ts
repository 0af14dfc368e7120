import { EpmuxError, messageOf } from '../../protocol/errors.ts';
import { abortError } from '../../runtime/attempt.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { BytePipe } from '../../runtime/pipe.ts';
import { deferred } from '../../runtime/wait.ts';
import type { Carrier } from '../../transport/transport.ts';
import type { Connection } from './connection-loop.ts';
import { DirectDirectory } from './direct-directory.ts';
import { LazyPipe } from './lazy-pipe.ts';
import type { LinkEvents, LinkFigures, NodeWay } from './link.ts';
import { WatchedPipe } from './watched-pipe.ts';

const POLL_MS = 5_000;

export interface DirectWayOptions {
  readonly epmdPort: number;
  /** Nodes. */
  readonly most: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly events: LinkEvents;
}

/** The carrier in use, and what is known through it. */
interface Line {
  readonly carrier: Carrier;
  readonly directory: DirectDirectory;
  readonly dial: (port: number, signal: AbortSignal) => Promise<BytePipe>;
  readonly over: AbortController;
  /** Why it is over. */
  failure: unknown;
}

/**
 * Nodes without an agent: each connection is a channel of the carrier, and what the dyno's epmd
 * says is asked every few seconds. Nothing outlives the carrier: with it every connection closes at
 * once, so that Erlang says nodedown rather than hang.
 */
export class DirectWay implements NodeWay {
  readonly mode = 'direct';
  readonly ticks = 'pass';
  readonly #options: DirectWayOptions;
  readonly #open = new Set<BytePipe>();
  #line: Line | undefined;
  #polling: Promise<void> | undefined;
  #cancelPoll: () => void = () => undefined;
  #bytesIn = 0;
  #bytesOut = 0;

  constructor(options: DirectWayOptions) {
    this.#options = options;
  }

  /**
   * Fails with AGENT_MISSING when the carrier can't reach into the dyno, and as the first look for
   * its nodes does.
   */
  async attach(carrier: Carrier, signal: AbortSignal): Promise<Connection> {
    const { dial } = carrier;
    if (dial === undefined) {
      throw new EpmuxError('AGENT_MISSING', `${carrier.label} leads to an agent only`);
    }
    const over = new AbortController();
    const { clock, epmdPort, most } = this.#options;
    const directory = new DirectDirectory({ dial, clock, epmdPort, most });
    const line: Line = { carrier, directory, dial, over, failure: undefined };
    this.#line = line;
    const lost = deferred<EpmuxError>();
    carrier.onClosed((error) => {
      const why = error ?? new EpmuxError('PIPE_LOST', `${carrier.label} is closed`);
      line.failure ??= why;
      this.#leave(line, why);
      lost.resolve(why);
    });
    await this.#firstLook(line, signal);
    return { lost: lost.promise };
  }

  async #firstLook(line: Line, signal: AbortSignal): Promise<void> {
    const onAbort = () => line.carrier.close();
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
    try {
      await this.#poll();
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
    if (signal.aborted) throw abortError('asking the epmd there', signal);
    if (line.failure !== undefined) throw line.failure;
  }

  openNode(short: string): BytePipe {
    const line = this.#line;
    if (line === undefined) throw new EpmuxError('TUNNEL_DOWN', 'there is no connection now');
    const port = line.directory.portOf(short);
    if (port === undefined) throw new EpmuxError('NODE_NOT_FOUND', `epmd there knows no ${short}`);
    const dialled = new LazyPipe(`${short} through ${line.carrier.label}`, (signal) =>
      line.dial(port, signal),
    );
    const pipe: BytePipe = new WatchedPipe(dialled, {
      onBytesIn: (bytes) => {
        this.#bytesIn += bytes;
      },
      onBytesOut: (bytes) => {
        this.#bytesOut += bytes;
      },
      onClosed: () => this.#open.delete(pipe),
    });
    this.#open.add(pipe);
    return pipe;
  }

  knowsCookie(): boolean {
    return false;
  }

  figures(): LinkFigures {
    return {
      rttMs: null,
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
      streams: this.#open.size,
      resumes: 0,
      outageMs: 0,
      incarnation: null,
    };
  }

  probe(): void {
    void this.#poll();
  }

  async close(): Promise<void> {
    if (this.#line !== undefined) this.#leave(this.#line, undefined);
    await this.#polling;
  }

  #leave(line: Line, error: EpmuxError | undefined): void {
    line.over.abort();
    if (this.#line !== line) return;
    this.#line = undefined;
    this.#cancelPoll();
    for (const pipe of [...this.#open]) pipe.close(error);
  }

  /** Asks epmd now, and again in a while; never rejects. */
  #poll(): Promise<void> {
    this.#polling ??= this.#pollOnce().finally(() => {
      this.#polling = undefined;
    });
    return this.#polling;
  }

  async #pollOnce(): Promise<void> {
    const line = this.#line;
    if (line === undefined) return;
    this.#cancelPoll();
    try {
      const { directory, error } = await line.directory.ask(line.over.signal);
      if (this.#line !== line) return;
      this.#options.events.onDirectory(directory, error);
    } catch (error) {
      if (this.#line !== line) return;
      line.failure = error;
      const reason = messageOf(error);
      this.#options.logger.warn('the carrier does not answer any more', { reason });
      line.carrier.close();
      return;
    }
    const { clock } = this.#options;
    this.#cancelPoll = clock.wakeAt(clock.now() + POLL_MS, () => void this.#poll());
  }
}
