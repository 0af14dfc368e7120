import { WireCode } from '../protocol/constants.ts';
import { EpmuxError } from '../protocol/errors.ts';
import { wireError, wireReason } from '../protocol/wire-codes.ts';
import type { EndReason, StreamClass } from '../session/types.ts';
import { type Acceptance, type Asked, ask } from './acceptance.ts';
import { ByteQueue } from './byte-queue.ts';
import { faultOf } from './fault.ts';
import { keepRead } from './lent-reads.ts';
import type { BytePipe, PipeHandlers } from './pipe.ts';

/**
 * A stream of a session. It outlives the session's pipes: while none is there, writes fill its
 * buffer and say false.
 */
export interface SessionStream extends BytePipe {
  readonly id: number;
  readonly target: string;
  readonly streamClass: StreamClass;
  /**
   * Settles when the other end accepts the stream or it closes before; bytes may be written
   * meanwhile.
   */
  readonly accepted: Promise<void>;
  /** Drops what is buffered and ends both directions, with a reason for the other end. */
  reset(reason: EndReason): void;
}

/**
 * A stream that the other end opened. Until `accept` its bytes wait, as many as the initial credit
 * allows.
 */
export interface IncomingStream extends SessionStream {
  accept(): void;
  reject(reason: EndReason): void;
}

/** What a stream needs of the driver; each call is followed by a turn of the pump. */
export interface StreamPort {
  accept(stream: number): void;
  reject(stream: number, reason: EndReason): void;
  write(stream: number, chunk: Uint8Array): boolean;
  bufferedBytes(stream: number): number;
  finish(stream: number): void;
  reset(stream: number, reason: EndReason): void;
  consumed(stream: number, bytes: number): void;
  /** The owner was told all there is to tell. */
  over(stream: number): void;
  /** The stream's owner threw; the stream is over. */
  fault(error: EpmuxError): void;
}

export interface StreamInfo {
  readonly id: number;
  readonly target: string;
  readonly streamClass: StreamClass;
  readonly incoming: boolean;
}

const NO_REASON: EndReason = { code: WireCode.NONE, text: '' };

/** The driver's end of a stream: `on…` is called by the driver, the rest by the owner. */
export class DrivenStream implements IncomingStream {
  readonly id: number;
  readonly target: string;
  readonly streamClass: StreamClass;
  readonly #port: StreamPort;
  #acceptance: Acceptance | undefined;
  /** Who waits for that. */
  #asked: Asked | undefined;
  #undecided: boolean;
  #handlers: PipeHandlers | undefined;
  #paused = false;
  /**
   * Arrived and not taken by the owner; bounded by the credit, which only goes back when it is. Not
   * there while it is empty.
   */
  #queue: ByteQueue | undefined;
  #finished: 'no' | 'received' | 'told' = 'no';
  /** Set once: the session knows the stream no more. */
  #outcome: { readonly error: EpmuxError | undefined } | undefined;
  #toldClosed = false;

  constructor(port: StreamPort, info: StreamInfo) {
    this.#port = port;
    this.id = info.id;
    this.target = info.target;
    this.streamClass = info.streamClass;
    this.#undecided = info.incoming;
  }

  get label(): string {
    return `stream ${this.id} (${this.target})`;
  }

  get copies(): boolean {
    return true;
  }

  get accepted(): Promise<void> {
    const asked = this.#asked ?? ask();
    if (this.#acceptance === undefined) this.#asked = asked;
    else asked.settle(this.#acceptance);
    return asked.promise;
  }

  get bufferedBytes(): number {
    return this.#outcome === undefined ? this.#port.bufferedBytes(this.id) : 0;
  }

  accept(): void {
    if (this.#outcome !== undefined || !this.#undecided) return;
    this.#undecided = false;
    this.#settle('accepted');
    this.#port.accept(this.id);
  }

  reject(reason: EndReason): void {
    if (this.#outcome !== undefined || !this.#undecided) return;
    this.#port.reject(this.id, reason);
    this.#closedHere(wireError(reason));
  }

  start(handlers: PipeHandlers): void {
    if (this.#handlers !== undefined) {
      throw new EpmuxError('INTERNAL', `${this.label} is started twice`);
    }
    this.#handlers = handlers;
    queueMicrotask(() => this.#deliver());
  }

  write(chunk: Uint8Array): boolean {
    return this.#outcome === undefined ? this.#port.write(this.id, chunk) : true;
  }

  end(): void {
    if (this.#outcome === undefined) this.#port.finish(this.id);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    queueMicrotask(() => this.#deliver());
  }

  close(error?: EpmuxError): void {
    const reason = error === undefined ? NO_REASON : wireReason(error);
    if (this.#outcome === undefined && this.#undecided) this.reject(reason);
    else this.reset(reason);
  }

  reset(reason: EndReason): void {
    if (this.#outcome === undefined) {
      this.#port.reset(this.id, reason);
      this.#closedHere(wireError(reason));
    } else {
      if (this.isUntaken) this.#port.reset(this.id, reason);
      this.#letGo();
    }
  }

  /** Over, and its owner has not taken all of it. */
  get isUntaken(): boolean {
    return this.#outcome !== undefined && this.#queue !== undefined;
  }

  onAccepted(): void {
    this.#settle('accepted');
  }

  onData(chunk: Uint8Array): void {
    if (this.#outcome !== undefined) return;
    const handlers = this.#paused || this.#queue !== undefined ? undefined : this.#handlers;
    if (handlers === undefined) {
      this.#queue ??= new ByteQueue();
      this.#queue.push(chunk);
    } else this.#guard(() => this.#hand(chunk, handlers));
  }

  onFinished(): void {
    if (this.#outcome !== undefined) return;
    this.#finished = 'received';
    this.#deliver();
  }

  onWritable(): void {
    if (this.#outcome === undefined) this.#guard(() => this.#handlers?.onWritable());
  }

  /**
   * The stream is over. In order: the owner still takes what is queued, for as long as the session
   * lives; else that is dropped, as is what came for an owner that had not accepted it.
   */
  onClosed(error: EpmuxError | undefined): void {
    if (this.#outcome !== undefined && !(this.isUntaken && error !== undefined)) return;
    this.#outcome = { error };
    this.#settle(error ?? new EpmuxError('NODE_UNREACHABLE', `${this.label} is closed`));
    if (this.isUntaken && (error !== undefined || this.#undecided)) {
      this.#queue = undefined;
      this.#finished = 'told';
      this.#port.reset(this.id, NO_REASON);
    }
    this.#deliver();
  }

  #settle(acceptance: Acceptance): void {
    if (this.#acceptance !== undefined) return;
    this.#acceptance = acceptance;
    this.#asked?.settle(acceptance);
    this.#asked = undefined;
  }

  #closedHere(error: EpmuxError): void {
    this.#outcome = { error: undefined };
    this.#settle(error);
    this.#letGo();
  }

  /** The session knows it no more, and its owner does not want what is queued. */
  #letGo(): void {
    this.#queue = undefined;
    this.#finished = 'told';
    queueMicrotask(() => this.#deliver());
  }

  #hand(chunk: Uint8Array, handlers: PipeHandlers): void {
    if (handlers.passes !== true) keepRead();
    handlers.onBytes(chunk);
    this.#port.consumed(this.id, chunk.length);
  }

  #deliver(): void {
    const handlers = this.#handlers;
    if (handlers !== undefined) this.#guard(() => this.#deliverTo(handlers));
  }

  #deliverTo(handlers: PipeHandlers): void {
    while (this.#queue !== undefined) {
      if (this.#paused) return;
      const chunk = this.#queue.shift();
      if (chunk === undefined) this.#queue = undefined;
      else this.#hand(chunk, handlers);
    }
    if (this.#finished === 'received') {
      this.#finished = 'told';
      handlers.onEnd();
    }
    if (this.#outcome !== undefined && !this.#toldClosed) {
      this.#toldClosed = true;
      this.#port.over(this.id);
      handlers.onClosed(this.#outcome.error);
    }
  }

  /** An owner that throws loses its stream, and nobody else is disturbed. */
  #guard(call: () => void): void {
    try {
      call();
    } catch (cause) {
      const error = faultOf(`the owner of ${this.label}`, cause);
      this.#port.reset(this.id, wireReason(error));
      this.#outcome = { error };
      this.#queue = undefined;
      this.#finished = 'told';
      this.#settle(error);
      this.#port.fault(error);
      if (!this.#toldClosed) queueMicrotask(() => this.#deliver());
    }
  }
}
