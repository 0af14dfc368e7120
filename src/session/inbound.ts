import { FrameDecoder, type FrameSink } from '../protocol/decode.ts';
import { EpmuxError } from '../protocol/errors.ts';
import type { FrameOf, WholeFrame } from '../protocol/frames.ts';
import type { Acknowledger } from './acknowledger.ts';
import type { EventQueue } from './event-queue.ts';
import type { Heartbeat } from './heartbeat.ts';
import type { PathEstimator } from './path-estimator.ts';
import { PipeEnd } from './pipe-end.ts';
import type { RemoteStreams } from './remote-streams.ts';
import type { ReplayQueue } from './replay.ts';

type Handlers = { readonly [T in WholeFrame['type']]: (frame: FrameOf<T>) => void };
type Phase = 'idle' | 'attaching' | 'attached';

/** All that an agent may say before it has answered ATTACH. */
const BEFORE_ATTACHED: ReadonlySet<WholeFrame['type']> = new Set(['ATTACHED', 'REFUSE', 'GOODBYE']);

export interface InboundOptions {
  readonly acks: Acknowledger;
  readonly heartbeat: Heartbeat;
  readonly replay: ReplayQueue;
  readonly path: PathEstimator;
  readonly remote: RemoteStreams;
  readonly events: EventQueue;
  readonly onAttached: (frame: FrameOf<'ATTACHED'>) => void;
}

/**
 * Takes the bytes of one pipe after the other, counts the reliable ones and hands each frame to
 * whom it concerns.
 */
export class Inbound {
  readonly #options: InboundOptions;
  #decoder = new FrameDecoder();
  #phase: Phase = 'idle';
  #now = 0;

  readonly #handlers: Handlers;
  /** One for all reads: of a keystroke's way much is memory that is thrown away again. */
  readonly #sink: FrameSink = {
    frame: (frame) => {
      this.#check(frame.type);
      this.#handle(frame.type, frame);
    },
    data: (stream, slice) => this.#options.remote.onData(stream, slice, this.#now),
    reliable: (bytes) => {
      if (this.#phase !== 'attached') throw misplaced({ type: 'DATA' });
      this.#options.acks.onReceived(bytes, this.#now);
    },
  };

  constructor(options: InboundOptions) {
    this.#options = options;
    this.#handlers = {
      PROOF: misplaced,
      ATTACH: misplaced,
      REFUSE: (frame) => {
        throw new PipeEnd(frame);
      },
      GOODBYE: (frame) => {
        throw new PipeEnd(frame);
      },
      ATTACHED: (frame) => this.#onAttached(frame),
      ACK: (frame) => this.#onAck(frame),
      PING: ({ token }) => options.heartbeat.onPing(token),
      PONG: ({ token }) => this.#onPong(token),
      DIRECTORY: ({ directory }) => options.events.push({ type: 'directory', directory }),
      ...options.remote.handlers,
    };
  }

  /** A new pipe; what the last one left of a frame is completed on this one. */
  begin(phase: 'attaching' | 'attached'): void {
    this.#decoder = new FrameDecoder({ partial: this.#decoder.takePartial() });
    this.#phase = phase;
  }

  end(): void {
    this.#phase = 'idle';
  }

  /** Throws EpmuxError for a breach of the protocol and PipeEnd for REFUSE and GOODBYE. */
  receive(chunk: Uint8Array, now: number): void {
    this.#now = now;
    this.#options.heartbeat.onBytesSeen(now);
    this.#decoder.push(chunk, this.#sink);
  }

  #check(type: WholeFrame['type']): void {
    if (this.#phase !== 'attached' && !BEFORE_ATTACHED.has(type)) misplaced({ type });
  }

  #handle<T extends WholeFrame['type']>(type: T, frame: WholeFrame): void {
    this.#handlers[type](frame as FrameOf<T>);
  }

  #onAttached(frame: FrameOf<'ATTACHED'>): void {
    if (this.#phase !== 'attaching') misplaced(frame);
    this.#phase = 'attached';
    this.#options.onAttached(frame);
  }

  #onAck({ received }: FrameOf<'ACK'>): void {
    if (!this.#options.replay.acknowledge(received)) {
      throw new EpmuxError('PROTOCOL', `ACK of byte ${received}, which was not sent`);
    }
    this.#options.path.onAcknowledged(received, this.#now);
  }

  #onPong(token: bigint): void {
    const ms = this.#options.heartbeat.onPong(token, this.#now);
    if (ms === undefined) return;
    this.#options.path.onPong(ms, this.#now);
    this.#options.events.push({ type: 'rtt', ms });
  }
}

function misplaced(frame: { readonly type: string }): never {
  throw new EpmuxError('PROTOCOL', `${frame.type} where it must not come`);
}
