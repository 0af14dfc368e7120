import type { RoleName } from '../protocol/constants.ts';
import { MAX_TEXT_BYTES, WireCode } from '../protocol/constants.ts';
import { EpmuxError } from '../protocol/errors.ts';
import type { EndReason, StreamClass } from '../protocol/frames.ts';
import type { SessionConfig } from './config.ts';
import type { ControlQueue } from './control-queue.ts';
import type { EventQueue } from './event-queue.ts';
import type { FrameMemory } from './frame-memory.ts';
import type { Scheduler } from './scheduler.ts';
import { Stream } from './stream.ts';
import { StreamIds } from './stream-ids.ts';
import { ReceiveWindow, WindowPool } from './window.ts';

const FINISHED: EndReason = { code: WireCode.NONE, text: '' };

export interface StreamsOptions {
  readonly role: RoleName;
  readonly config: SessionConfig;
  readonly events: EventQueue;
  readonly control: ControlQueue;
  readonly scheduler: Scheduler;
  /** Of the frames. */
  readonly memory: FrameMemory;
  /** The first id this end gives a stream of its own. */
  readonly firstId: number | undefined;
}

/**
 * The live streams, and what this end does to them. A call for a stream that is over does nothing:
 * the other end may have ended it meanwhile.
 */
export class Streams {
  readonly #config: SessionConfig;
  readonly #events: EventQueue;
  readonly #control: ControlQueue;
  readonly #scheduler: Scheduler;
  readonly #memory: FrameMemory;
  readonly #pool: WindowPool;
  readonly #live = new Map<number, Stream>();
  /** Over in order, and not all that has arrived is consumed. */
  readonly #untaken = new Map<number, Stream>();
  readonly ids: StreamIds;
  #bytesOut = 0;
  /** In all send buffers. */
  #bufferedBytes = 0;
  /** Blocked, with room in their own buffer again: they wait for all buffers to have some. */
  readonly #waiting = new Set<Stream>();
  /** The pipe was lost and no other is there yet. */
  #inOutage = false;

  constructor(options: StreamsOptions) {
    this.#config = options.config;
    this.#events = options.events;
    this.#control = options.control;
    this.#scheduler = options.scheduler;
    this.#memory = options.memory;
    this.#pool = new WindowPool(options.config.maxWindowsTotalBytes);
    this.ids = new StreamIds(options.role, options.firstId);
  }

  get count(): number {
    return this.#live.size;
  }
  get isFull(): boolean {
    return this.#live.size + this.#untaken.size >= this.#config.maxStreams;
  }
  /** Payload bytes put into frames. */
  get bytesOut(): number {
    return this.#bytesOut;
  }

  /** Written and not framed, and received and not consumed. */
  heldBytes(): number {
    let bytes = this.#bufferedBytes;
    for (const { window } of this.#live.values()) bytes += window.heldBytes;
    for (const { window } of this.#untaken.values()) bytes += window.heldBytes;
    return bytes;
  }

  get(id: number): Stream | undefined {
    return this.#live.get(id);
  }

  open(id: number, target: string, streamClass: StreamClass): void {
    this.#control.open({ type: 'OPEN', stream: id, streamClass, target });
    this.add(id, true, streamClass);
  }

  add(id: number, openedHere: boolean, streamClass: StreamClass): void {
    const window = new ReceiveWindow(this.#pool, this.#config.maxWindowBytes);
    const memory = this.#memory;
    this.#live.set(id, new Stream({ id, openedHere, streamClass, window, memory }));
    if (window.beginWith(this.#config.firstWindowBytes)) this.#control.credit(id, window.limit);
  }

  accept(id: number): void {
    const stream = this.get(id);
    if (stream === undefined) return;
    if (stream.openedHere || !stream.step('accept')) throw misuse('accept', stream);
    this.#control.accept(id);
    this.finishIfReady(stream);
  }

  reject(id: number, reason: EndReason): void {
    const stream = this.get(id);
    if (stream === undefined) return;
    if (stream.openedHere || !stream.step('reject')) throw misuse('reject', stream);
    this.#control.end({ type: 'REJECT', stream: id, ...reason });
    this.#over(stream, reason, false);
  }

  write(id: number, chunk: Uint8Array): boolean {
    const stream = this.get(id);
    if (stream === undefined) return false;
    if (stream.finishing) throw misuse('write', stream);
    stream.buffer.push(chunk);
    this.#bufferedBytes += chunk.length;
    this.#scheduler.wake(stream);
    stream.blocked ||= stream.buffer.bytes > this.#mostBuffered() || this.#isCrowding(stream);
    return !stream.blocked;
  }

  finish(id: number): void {
    const stream = this.get(id);
    if (stream === undefined || stream.finishing) return;
    stream.finishing = true;
    this.finishIfReady(stream);
  }

  reset(id: number, reason: EndReason): void {
    const stream = this.get(id);
    if (stream === undefined) this.#letGo(id);
    if (stream === undefined || !stream.step('reset')) return;
    this.#control.end({ type: 'RESET', stream: id, ...reason });
    this.#over(stream, reason, false);
  }

  consumed(id: number, bytes: number, now: number, rttMs: number): void {
    const stream = this.get(id);
    if (stream === undefined) this.#onTaken(id, bytes, now, rttMs);
    if (stream === undefined || !stream.window.onConsumed(bytes, now, rttMs)) return;
    // Behind the other end's FIN credit is of no use any more.
    if (stream.state !== 'halfClosedRemote') this.#control.credit(id, stream.window.limit);
  }

  /** The scheduler's pick has put so many bytes into a frame. */
  onFramed(stream: Stream, bytes: number, now: number): void {
    this.#bytesOut += bytes;
    this.#bufferedBytes -= bytes;
    this.#scheduler.onFramed(stream, bytes, now);
    if (stream.blocked && stream.buffer.bytes <= this.#mostBuffered() / 2) {
      // One that has nothing left to send is not to wait for those that lack credit.
      if (stream.buffer.bytes === 0) this.#unblock(stream);
      else this.#waiting.add(stream);
    }
    this.#unblockWaiting();
    this.finishIfReady(stream);
  }

  /** FIN goes behind the last data, and not before ACCEPT. */
  finishIfReady(stream: Stream): void {
    if (!stream.finishing || stream.buffer.bytes > 0 || !stream.step('finSent')) return;
    this.#control.fin(stream.id);
    if (stream.state === 'closed') this.end(stream, FINISHED);
  }

  /**
   * The other end has ended the stream, or both have; what is still to be said of it stays with the
   * control queue.
   */
  end(stream: Stream, reason: EndReason): void {
    this.#over(stream, reason, reason.code === WireCode.NONE);
  }

  clear(): void {
    for (const stream of this.#live.values()) {
      this.#free(stream);
      stream.window.release();
    }
    for (const { window } of this.#untaken.values()) window.release();
    this.#live.clear();
    this.#untaken.clear();
  }

  /**
   * From now on nothing leaves: who writes shall not have to wait for that as long as there is
   * room.
   */
  onPipeLost(): void {
    this.#inOutage = true;
    for (const stream of this.#live.values()) {
      if (stream.blocked && stream.buffer.bytes <= this.#mostBuffered()) this.#unblock(stream);
    }
  }

  onPipe(): void {
    this.#inOutage = false;
  }

  /**
   * Of one stream at this moment. In an outage few may take half of the room, and the other half is
   * for all.
   */
  #mostBuffered(): number {
    const { maxBufferedBytes, streamBufferBytes } = this.#config;
    if (this.#bufferedBytes > maxBufferedBytes) return 0;
    const half = maxBufferedBytes / 2;
    if (!this.#inOutage || this.#bufferedBytes > half) return streamBufferBytes;
    return Math.max(half, streamBufferBytes);
  }

  /**
   * Sixteen streams that each fill their own buffer hold more than a processor's cache does: what
   * is sent next has left it by then. Few streams, and those that send little, are not concerned.
   */
  #isCrowding(stream: Stream): boolean {
    const { crowdedBufferBytes, streamBufferBytes } = this.#config;
    if (this.#inOutage || this.#bufferedBytes <= crowdedBufferBytes) return false;
    return stream.buffer.bytes >= streamBufferBytes / 2;
  }

  #unblockWaiting(): void {
    if (this.#waiting.size === 0 || this.#bufferedBytes >= this.#config.crowdedBufferBytes) return;
    for (const stream of this.#waiting) this.#unblock(stream);
  }

  #unblock(stream: Stream): void {
    this.#waiting.delete(stream);
    stream.blocked = false;
    this.#events.push({ type: 'writable', stream: stream.id });
  }

  #free(stream: Stream): void {
    this.#bufferedBytes -= stream.buffer.bytes;
    this.#scheduler.drop(stream);
    this.#waiting.delete(stream);
    stream.buffer.clear();
    this.#unblockWaiting();
  }

  #over(stream: Stream, reason: EndReason, isStillTaken: boolean): void {
    this.#live.delete(stream.id);
    this.#free(stream);
    if (isStillTaken && stream.window.heldBytes > 0) this.#untaken.set(stream.id, stream);
    else stream.window.release();
    this.#events.push({ type: 'closed', stream: stream.id, reason });
  }

  #onTaken(id: number, bytes: number, now: number, rttMs: number): void {
    const window = this.#untaken.get(id)?.window;
    window?.onConsumed(bytes, now, rttMs);
    if (window?.heldBytes === 0) this.#letGo(id);
  }

  #letGo(id: number): void {
    this.#untaken.get(id)?.window.release();
    this.#untaken.delete(id);
  }
}

/** Refuses, with INTERNAL, a target that OPEN can't carry. */
export function checkTarget(target: string): void {
  const bytes = Buffer.byteLength(target);
  if (bytes < 1 || bytes > MAX_TEXT_BYTES) {
    throw new EpmuxError('INTERNAL', `a target of ${bytes} bytes`);
  }
}

function misuse(call: string, stream: Stream): EpmuxError {
  return new EpmuxError('INTERNAL', `${call} on stream ${stream.id}, which is ${stream.state}`);
}
