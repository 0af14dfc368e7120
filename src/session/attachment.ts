import { WireCode } from '../protocol/constants.ts';
import { encodeFrame } from '../protocol/encode.ts';
import { EpmuxError } from '../protocol/errors.ts';
import type { EndReason, FrameOf } from '../protocol/frames.ts';
import type { PeerInfo } from '../protocol/hello.ts';
import { wireError, wireReason } from '../protocol/wire-codes.ts';
import type { SessionConfig } from './config.ts';
import { Inbound } from './inbound.ts';
import type { SessionState } from './lifecycle.ts';
import { Lifecycle } from './lifecycle.ts';
import type { SessionParts } from './parts.ts';
import { PipeEnd } from './pipe-end.ts';
import type { AttachOutcome } from './types.ts';

/**
 * What REFUSE says when there is nothing to come back to; after others a new pipe may fare better.
 */
const FINAL_REFUSALS: ReadonlySet<number> = new Set([WireCode.SESSION_UNKNOWN, WireCode.POSITION]);

/**
 * The session's pipes, one after the other: attach, bytes in and out, loss, and the end of it all.
 */
export class Attachment {
  readonly #parts: SessionParts;
  readonly #lifecycle: Lifecycle;
  readonly #inbound: Inbound;
  readonly #idHex: string;
  readonly #clockJumpMs: number;
  /** So much behind its deadline nobody calls who was awake. */
  readonly #lateMs: number;
  #now: number;
  #peer: PeerInfo | undefined;
  /** GOODBYE, once the session has ended; the pipe gets nothing behind it. */
  #parting: Uint8Array | undefined;

  constructor(parts: SessionParts, config: SessionConfig, id: Uint8Array, now: number) {
    this.#parts = parts;
    this.#lifecycle = new Lifecycle(config);
    this.#inbound = new Inbound({ ...parts, onAttached: (frame) => this.#onAttached(frame) });
    this.#idHex = Buffer.from(id).toString('hex');
    this.#clockJumpMs = config.clockJumpMs;
    this.#lateMs = config.clockJumpMs - config.heartbeatMs;
    this.#now = now;
  }

  get state(): SessionState {
    return this.#lifecycle.state;
  }
  get resumes(): number {
    return this.#lifecycle.resumes;
  }

  outageMs(now: number): number {
    return this.#lifecycle.outageMs(now);
  }

  /**
   * Every call that takes a time passes here. A step that an attached session would never take by
   * itself is a jump of the clock.
   */
  advance(now: number): void {
    const isLongStep = this.state === 'attached' && now - this.#now > this.#clockJumpMs;
    // Where a PING finds no room, the next deadline may be further away than that.
    const hasJumped = isLongStep && now - this.nextDeadline() > this.#lateMs;
    this.#now = Math.max(now, this.#now);
    if (hasJumped) this.#parts.heartbeat.onClockJump(this.#now);
  }

  begin(now: number): Uint8Array {
    this.advance(now);
    if (this.state === 'ended') throw new EpmuxError('SESSION_LOST', 'the session has ended');
    this.leavePipe();
    this.#inbound.begin('attaching');
    this.#lifecycle.onAttaching(this.#now);
    return encodeFrame({
      type: 'ATTACH',
      kind: this.#lifecycle.hasBeenAttached ? 'resume' : 'new',
      sessionId: this.#idHex,
      received: this.#parts.acks.take(this.#now),
    });
  }

  peerKnown(peer: PeerInfo): void {
    this.#peer = peer;
  }

  accept(received: number, peer: PeerInfo, now: number): AttachOutcome {
    this.advance(now);
    if (this.state === 'ended') return 'ended';
    // A daemon's positions never go back: this was sent before what acknowledged more.
    if (received < this.#parts.replay.acked) return 'overtaken';
    this.leavePipe();
    this.#peer = peer;
    if (!this.#resumeFrom(received)) return 'ended';
    const kind = this.#lifecycle.hasBeenAttached ? 'resumed' : 'new';
    this.#parts.pipeFrames.answerAttach(kind, this.#now);
    this.#inbound.begin('attached');
    this.#enterPipe(peer);
    return 'taken';
  }

  receive(chunk: Uint8Array): void {
    if (!this.#hasPipe()) return;
    try {
      this.#inbound.receive(chunk, this.#now);
    } catch (error) {
      if (error instanceof PipeEnd) this.#onPipeEnd(error.frame);
      else if (error instanceof EpmuxError) this.end(wireReason(error), error, true);
      else throw error;
    }
  }

  drain(roomBytes: number): readonly Uint8Array[] {
    const { outbound, path, heartbeat, pipeFrames } = this.#parts;
    const parting = this.#parting;
    this.#parting = undefined;
    if (parting !== undefined) return [parting];
    if (this.state !== 'attached' || roomBytes <= 0) return [];
    const out: Uint8Array[] = [];
    outbound.fill(this.#now, roomBytes, out);
    if (path.takePingWish()) heartbeat.requestPing();
    const first = pipeFrames.take(this.#now, out.length > 0);
    return first === undefined ? out : [first, ...out];
  }

  nextDeadline(): number {
    if (this.state !== 'attached') return this.#lifecycle.deadline;
    return Math.min(this.#parts.acks.deadline, this.#parts.heartbeat.deadline(this.#isAwaiting()));
  }

  onDeadline(): void {
    const now = this.#now;
    if (this.state === 'attached') {
      this.#parts.acks.onTime(now);
      if (!this.#parts.heartbeat.onTime(now, this.#isAwaiting())) {
        this.#failPipe(new EpmuxError('PIPE_LOST', 'nothing arrives any more'));
      }
    } else if (this.#lifecycle.attachTimedOut(now)) {
      this.#failPipe(new EpmuxError('TIMEOUT', 'the agent did not answer the attach'));
    }
    if (this.#lifecycle.graceIsOver(now)) {
      const text = 'no connection for the whole grace period';
      this.end({ code: WireCode.TIMEOUT, text }, new EpmuxError('SESSION_LOST', text), false);
    }
  }

  probe(): void {
    if (this.state === 'attached') this.#parts.heartbeat.probe(this.#now);
  }

  leavePipe(): void {
    if (!this.#hasPipe()) return;
    this.#inbound.end();
    this.#lifecycle.onDetached(this.#now);
    this.#parts.streams.onPipeLost();
  }

  /**
   * First failure wins; what was kept is freed. `tell`: the other end hears of it, if there is a
   * pipe.
   */
  end(reason: EndReason, error: EpmuxError | undefined, tell: boolean): void {
    if (this.state === 'ended') return;
    if (tell && this.#hasPipe()) this.#parting = encodeFrame({ type: 'GOODBYE', ...reason });
    this.leavePipe();
    this.#lifecycle.onEnded(this.#now);
    this.#parts.streams.clear();
    this.#parts.control.clear();
    this.#parts.scheduler.clear();
    this.#parts.replay.clear();
    this.#parts.events.push({ type: 'ended', reason, error });
  }

  #hasPipe(): boolean {
    return this.state === 'attaching' || this.state === 'attached';
  }
  #isAwaiting(): boolean {
    return this.#parts.replay.inFlight > 0;
  }

  #onAttached(frame: FrameOf<'ATTACHED'>): void {
    const peer = this.#peer;
    if (peer === undefined) throw new EpmuxError('INTERNAL', 'ATTACHED before peerKnown');
    if (frame.kind === 'new' && this.#lifecycle.hasBeenAttached) {
      throw new EpmuxError('PROTOCOL', 'ATTACHED new in answer to a resume');
    }
    if (this.#resumeFrom(frame.received)) this.#enterPipe(peer);
  }

  #resumeFrom(received: number): boolean {
    if (this.#parts.replay.rewind(received)) return true;
    const text = `byte ${received} was not sent, or is not kept any more`;
    this.end({ code: WireCode.POSITION, text }, new EpmuxError('SESSION_LOST', text), true);
    return false;
  }

  #enterPipe(peer: PeerInfo): void {
    const resumed = this.#lifecycle.hasBeenAttached;
    this.#lifecycle.onAttached(this.#now);
    this.#parts.streams.onPipe();
    this.#parts.heartbeat.onAttached(this.#now);
    this.#parts.path.onPipe(this.#parts.replay.sent, this.#now);
    this.#parts.events.push({ type: 'attached', resumed, peer });
  }

  #failPipe(error: EpmuxError): void {
    this.leavePipe();
    this.#parts.events.push({ type: 'pipe-failed', error });
  }

  #onPipeEnd(frame: FrameOf<'REFUSE'> | FrameOf<'GOODBYE'>): void {
    const reason = { code: frame.code, text: frame.text };
    if (frame.type === 'REFUSE' && !FINAL_REFUSALS.has(frame.code)) {
      this.#failPipe(wireError(reason));
    } else {
      this.end(reason, frame.code === WireCode.NONE ? undefined : wireError(reason), false);
    }
  }
}
