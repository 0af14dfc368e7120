import { WireCode } from '../protocol/constants.ts';
import type { EpmuxError } from '../protocol/errors.ts';
import { wireError } from '../protocol/wire-codes.ts';
import type { EndReason, SessionStreams } from '../session/types.ts';
import type { Clock } from './clock.ts';
import type { StreamInfo, StreamPort } from './session-stream.ts';
import { DrivenStream } from './session-stream.ts';

export interface StreamTableOptions {
  readonly session: SessionStreams;
  readonly clock: Clock;
  /** Asks for a turn of the pump. */
  readonly schedule: () => void;
  /** A stream's owner threw. */
  readonly onFault: (error: EpmuxError) => void;
}

/** The streams of one session by their ids, and their way to it. */
export class StreamTable implements StreamPort {
  readonly #session: SessionStreams;
  readonly #clock: Clock;
  readonly #schedule: () => void;
  readonly fault: (error: EpmuxError) => void;
  readonly #streams = new Map<number, DrivenStream>();

  constructor(options: StreamTableOptions) {
    this.#session = options.session;
    this.#clock = options.clock;
    this.#schedule = options.schedule;
    this.fault = options.onFault;
  }

  add(info: StreamInfo): DrivenStream {
    const stream = new DrivenStream(this, info);
    this.#streams.set(info.id, stream);
    return stream;
  }

  get(stream: number): DrivenStream | undefined {
    return this.#streams.get(stream);
  }

  onClosed(id: number, reason: EndReason): void {
    const stream = this.#streams.get(id);
    stream?.onClosed(reason.code === WireCode.NONE ? undefined : wireError(reason));
    if (stream?.isUntaken !== true) this.#streams.delete(id);
  }

  over(id: number): void {
    this.#streams.delete(id);
  }

  closeAll(error: EpmuxError): void {
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    for (const stream of streams) stream.onClosed(error);
  }

  accept(stream: number): void {
    this.#session.accept(stream);
    this.#schedule();
  }

  reject(stream: number, reason: EndReason): void {
    this.#streams.delete(stream);
    this.#session.reject(stream, reason);
    this.#schedule();
  }

  write(stream: number, chunk: Uint8Array): boolean {
    this.#schedule();
    return this.#session.write(stream, chunk);
  }

  bufferedBytes(stream: number): number {
    return this.#session.bufferedBytes(stream);
  }

  finish(stream: number): void {
    this.#session.finish(stream);
    this.#schedule();
  }

  reset(stream: number, reason: EndReason): void {
    this.#streams.delete(stream);
    this.#session.reset(stream, reason);
    this.#schedule();
  }

  consumed(stream: number, bytes: number): void {
    this.#session.consumed(stream, bytes, this.#clock.now());
    this.#schedule();
  }
}
