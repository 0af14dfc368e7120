import { WireCode } from '../protocol/constants.ts';
import { EpmuxError } from '../protocol/errors.ts';
import type { FrameOf } from '../protocol/frames.ts';
import type { SessionConfig } from './config.ts';
import type { ControlQueue } from './control-queue.ts';
import type { EventQueue } from './event-queue.ts';
import type { Scheduler } from './scheduler.ts';
import type { Stream } from './stream.ts';
import { mayReceive } from './stream-state.ts';
import type { Streams } from './streams.ts';

/**
 * Entries of the control queue, in multiples of maxStreams, that an other end which does not read
 * may cause.
 */
const MAX_UNSAID = 3;

export type StreamFrameType = 'OPEN' | 'ACCEPT' | 'REJECT' | 'CREDIT' | 'FIN' | 'RESET';
type Handlers = { readonly [T in StreamFrameType]: (frame: FrameOf<T>) => void };

export interface RemoteStreamsOptions {
  readonly config: SessionConfig;
  readonly streams: Streams;
  readonly events: EventQueue;
  readonly control: ControlQueue;
  readonly scheduler: Scheduler;
}

/**
 * What the other end does to the streams. Breaches of docs/protocol.md, 4, are thrown as PROTOCOL.
 */
export class RemoteStreams {
  readonly #options: RemoteStreamsOptions;
  #bytesIn = 0;
  readonly handlers: Handlers = {
    OPEN: (frame) => this.#onOpen(frame),
    ACCEPT: ({ stream }) => this.#onLive(stream, (found) => this.#onAccept(found)),
    REJECT: (frame) => this.#onLive(frame.stream, (found) => this.#onReject(found, frame)),
    CREDIT: (frame) => this.#onLive(frame.stream, (found) => this.#onCredit(found, frame)),
    FIN: ({ stream }) => this.#onLive(stream, (found) => this.#onFin(found)),
    RESET: (frame) => this.#onLive(frame.stream, (found) => this.#onReset(found, frame)),
  };

  constructor(options: RemoteStreamsOptions) {
    this.#options = options;
  }

  /** Payload bytes of live streams. */
  get bytesIn(): number {
    return this.#bytesIn;
  }

  onData(id: number, chunk: Uint8Array, now: number): void {
    const stream = this.#live(id);
    if (stream === undefined) return;
    if (!mayReceive(stream.state, stream.openedHere)) throw breach('DATA', stream);
    if (!stream.window.onReceived(chunk.length, now)) {
      throw new EpmuxError('PROTOCOL', `more DATA on stream ${id} than its credit allows`);
    }
    this.#bytesIn += chunk.length;
    this.#options.events.push({ type: 'data', stream: id, chunk });
  }

  /** Undefined: this end has closed it, and frames for it are dropped. */
  #live(id: number): Stream | undefined {
    const stream = this.#options.streams.get(id);
    if (stream === undefined && !this.#options.streams.ids.wasUsed(id)) {
      throw new EpmuxError('PROTOCOL', `a frame on stream ${id}, which was never opened`);
    }
    return stream;
  }

  #onLive(id: number, act: (stream: Stream) => void): void {
    const stream = this.#live(id);
    if (stream !== undefined) act(stream);
  }

  #onOpen(frame: FrameOf<'OPEN'>): void {
    const { config, streams, events, control } = this.#options;
    const { stream, target, streamClass } = frame;
    if (!streams.ids.takeForPeer(stream)) {
      throw new EpmuxError('PROTOCOL', `OPEN with the stream id ${stream}`);
    }
    if (control.size >= MAX_UNSAID * config.maxStreams) {
      throw new EpmuxError('BUSY', 'too many streams were opened while nothing was read');
    }
    if (streams.isFull) {
      const text = `${config.maxStreams} streams are open`;
      control.end({ type: 'REJECT', stream, code: WireCode.BUSY, text });
      return;
    }
    streams.add(stream, false, streamClass);
    events.push({ type: 'opened', stream, target, streamClass });
  }

  #onAccept(stream: Stream): void {
    if (!stream.openedHere || !stream.step('accept')) throw breach('ACCEPT', stream);
    this.#options.events.push({ type: 'accepted', stream: stream.id });
    this.#options.streams.finishIfReady(stream);
  }

  #onReject(stream: Stream, { code, text }: FrameOf<'REJECT'>): void {
    if (!stream.openedHere || !stream.step('reject')) throw breach('REJECT', stream);
    this.#options.control.forget(stream.id);
    this.#options.streams.end(stream, { code, text });
  }

  #onCredit(stream: Stream, frame: FrameOf<'CREDIT'>): void {
    stream.onCredit(frame.limit);
    this.#options.scheduler.wake(stream);
  }

  #onFin(stream: Stream): void {
    if (!stream.step('finReceived')) throw breach('FIN', stream);
    this.#options.events.push({ type: 'finished', stream: stream.id });
    if (stream.state === 'closed') {
      this.#options.streams.end(stream, { code: WireCode.NONE, text: '' });
    }
  }

  #onReset(stream: Stream, { code, text }: FrameOf<'RESET'>): void {
    stream.step('reset');
    this.#options.control.forget(stream.id);
    this.#options.streams.end(stream, { code, text });
  }
}

function breach(what: string, stream: Stream): EpmuxError {
  return new EpmuxError('PROTOCOL', `${what} on stream ${stream.id}, which is ${stream.state}`);
}
