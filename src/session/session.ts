import type { RoleName } from '../protocol/constants.ts';
import { SESSION_ID_BYTES, WireCode } from '../protocol/constants.ts';
import { EpmuxError } from '../protocol/errors.ts';
import { Attachment } from './attachment.ts';
import type { SessionConfig } from './config.ts';
import { checkSessionConfig } from './config.ts';
import type { SessionParts } from './parts.ts';
import { makeParts } from './parts.ts';
import { checkTarget } from './streams.ts';
import type {
  AttachOutcome,
  Directory,
  EndReason,
  PeerInfo,
  SessionEvent,
  SessionPort,
  SessionStats,
  StreamClass,
} from './types.ts';

/** Until the path is measured. */
const UNKNOWN_RTT_MS = 50;

/**
 * See docs/session.md. The pipes are Attachment's business, the streams Streams'; this joins the
 * two to the port.
 */
export class Session implements SessionPort {
  readonly #parts: SessionParts;
  readonly #attachment: Attachment;

  /**
   * `id`: 16 random bytes. `firstStreamId`: where this end's ids begin, of its role's parity.
   * Throws CONFIG_INVALID for values that a session could not work with.
   */
  constructor(
    role: RoleName,
    config: SessionConfig,
    id: Uint8Array,
    now: number,
    firstStreamId?: number,
  ) {
    checkSessionConfig(config);
    if (id.length !== SESSION_ID_BYTES) throw new EpmuxError('INTERNAL', 'no session id');
    this.#parts = makeParts(role, config, firstStreamId);
    this.#attachment = new Attachment(this.#parts, config, id, now);
  }

  beginAttach(now: number): Uint8Array {
    return this.#attachment.begin(now);
  }

  peerKnown(peer: PeerInfo): void {
    this.#attachment.peerKnown(peer);
  }

  acceptAttach(received: number, peer: PeerInfo, now: number): AttachOutcome {
    return this.#attachment.accept(received, peer, now);
  }

  receive(chunk: Uint8Array, now: number): void {
    this.#attachment.advance(now);
    this.#attachment.receive(chunk);
  }

  drain(now: number, roomBytes: number): readonly Uint8Array[] {
    this.#attachment.advance(now);
    return this.#attachment.drain(roomBytes);
  }

  mostQueuedBytes(now: number): number {
    return this.#parts.scheduler.mostQueuedBytes(now);
  }

  nextDeadline(): number {
    return this.#attachment.nextDeadline();
  }

  onDeadline(now: number): void {
    this.#attachment.advance(now);
    this.#attachment.onDeadline();
  }

  probe(now: number): void {
    this.#attachment.advance(now);
    this.#attachment.probe();
  }

  pipeClosed(now: number): void {
    this.#attachment.advance(now);
    this.#attachment.leavePipe();
  }

  nextEvent(): SessionEvent | undefined {
    return this.#parts.events.take();
  }

  open(target: string, streamClass: StreamClass, now: number): number {
    this.#attachment.advance(now);
    const { streams } = this.#parts;
    if (this.#attachment.state === 'ended') {
      throw new EpmuxError('SESSION_LOST', 'the session has ended');
    }
    checkTarget(target);
    if (streams.isFull) throw new EpmuxError('BUSY', `${streams.count} streams are open`);
    const id = streams.ids.take();
    if (id === undefined) {
      const text = 'no stream ids are left';
      const error = new EpmuxError('SESSION_LOST', text);
      this.#attachment.end({ code: WireCode.EXHAUSTED, text }, error, true);
      throw error;
    }
    streams.open(id, target, streamClass);
    return id;
  }

  accept(stream: number): void {
    this.#parts.streams.accept(stream);
  }

  reject(stream: number, reason: EndReason): void {
    this.#parts.streams.reject(stream, reason);
  }

  write(stream: number, chunk: Uint8Array): boolean {
    return this.#parts.streams.write(stream, chunk);
  }

  bufferedBytes(stream: number): number {
    return this.#parts.streams.get(stream)?.buffer.bytes ?? 0;
  }

  finish(stream: number): void {
    this.#parts.streams.finish(stream);
  }

  reset(stream: number, reason: EndReason): void {
    this.#parts.streams.reset(stream, reason);
  }

  consumed(stream: number, bytes: number, now: number): void {
    this.#attachment.advance(now);
    const rttMs = this.#parts.path.minRttMs ?? UNKNOWN_RTT_MS;
    this.#parts.streams.consumed(stream, bytes, now, rttMs);
  }

  setDirectory(directory: Directory): void {
    if (this.#attachment.state !== 'ended') this.#parts.control.directory(directory);
  }

  goodbye(reason: EndReason): void {
    this.#attachment.end(reason, undefined, true);
  }

  stats(now: number): SessionStats {
    const { streams, remote, replay, heartbeat } = this.#parts;
    return {
      state: this.#attachment.state,
      rttMs: heartbeat.rttMs,
      streams: streams.count,
      bytesIn: remote.bytesIn,
      bytesOut: streams.bytesOut,
      resumes: this.#attachment.resumes,
      outageMs: this.#attachment.outageMs(now),
      unackedBytes: replay.bytes,
      heldBytes: replay.bytes + streams.heldBytes(),
    };
  }
}
