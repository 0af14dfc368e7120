import type { RoleName } from '../protocol/constants.ts';
import { SESSION_ID_BYTES, WireCode } from '../protocol/constants.ts';
import { encodeFrame } from '../protocol/encode.ts';
import { EpmuxError } from '../protocol/errors.ts';
import type { FrameOf } from '../protocol/frames.ts';
import { wireError, wireReason } from '../protocol/wire-codes.ts';
import { Acknowledger } from './acknowledger.ts';
import type { SessionConfig } from './config.ts';
import { checkSessionConfig } from './config.ts';
import { ControlQueue } from './control-queue.ts';
import { EventQueue } from './event-queue.ts';
import { Heartbeat } from './heartbeat.ts';
import { Inbound } from './inbound.ts';
import { Lifecycle } from './lifecycle.ts';
import { Outbound } from './outbound.ts';
import { PathEstimator } from './path-estimator.ts';
import { PipeEnd } from './pipe-end.ts';
import { PipeFrames } from './pipe-frames.ts';
import { RemoteStreams } from './remote-streams.ts';
import { ReplayQueue } from './replay.ts';
import { Scheduler } from './scheduler.ts';
import { checkTarget, Streams } from './streams.ts';
import type {
  Directory,
  EndReason,
  PeerInfo,
  SessionEvent,
  SessionPort,
  SessionStats,
  StreamClass,
} from './types.ts';

/** What REFUSE says when there is nothing to come back to; after others a new pipe may fare better. */
const FINAL_REFUSALS: ReadonlySet<number> = new Set([WireCode.SESSION_UNKNOWN, WireCode.POSITION]);

/** Until the path is measured. */
const UNKNOWN_RTT_MS = 50;

/** docs/session.md. Joins the parts of a session; each of them has a file of its own. */
export class Session implements SessionPort {
  readonly #idHex: string;
  readonly #lifecycle: Lifecycle;
  readonly #events = new EventQueue();
  readonly #control = new ControlQueue();
  readonly #scheduler = new Scheduler();
  readonly #acks = new Acknowledger();
  readonly #replay: ReplayQueue;
  readonly #heartbeat: Heartbeat;
  readonly #path: PathEstimator;
  readonly #streams: Streams;
  readonly #remote: RemoteStreams;
  readonly #inbound: Inbound;
  readonly #outbound: Outbound;
  readonly #pipeFrames: PipeFrames;
  readonly #clockJumpMs: number;
  #now: number;
  #peer: PeerInfo | undefined;
  #rttMs: number | undefined;
  /** GOODBYE, once the session has ended; the pipe gets nothing behind it. */
  #parting: Uint8Array | undefined;

  /** `id`: 16 random bytes. `firstStreamId`: of the role's parity, where a session does not begin at its first. Refuses a bad config. */
  constructor(
    role: RoleName,
    config: SessionConfig,
    id: Uint8Array,
    now: number,
    firstStreamId?: number,
  ) {
    checkSessionConfig(config);
    if (id.length !== SESSION_ID_BYTES)
      throw new EpmuxError('INTERNAL', 'a session id is 16 bytes');
    this.#idHex = Buffer.from(id).toString('hex');
    this.#now = now;
    this.#clockJumpMs = config.clockJumpMs;
    const [events, control, scheduler, acks] = [
      this.#events,
      this.#control,
      this.#scheduler,
      this.#acks,
    ];
    const replay = new ReplayQueue(config.replayBudgetBytes);
    const heartbeat = new Heartbeat(config);
    const path = new PathEstimator(config);
    const base = { config, events, control, scheduler };
    const streams = new Streams({ ...base, role, firstId: firstStreamId });
    const remote = new RemoteStreams({ ...base, streams });
    this.#lifecycle = new Lifecycle(config);
    this.#replay = replay;
    this.#heartbeat = heartbeat;
    this.#path = path;
    this.#streams = streams;
    this.#remote = remote;
    this.#outbound = new Outbound({ replay, control, scheduler, streams, path });
    this.#pipeFrames = new PipeFrames(acks, heartbeat);
    const onAttached = (frame: FrameOf<'ATTACHED'>) => this.#onAttached(frame);
    this.#inbound = new Inbound({ acks, heartbeat, replay, path, remote, events, onAttached });
  }

  beginAttach(now: number): Uint8Array {
    this.#advance(now);
    if (this.#ended) throw sessionOver();
    this.#leavePipe();
    this.#inbound.begin('attaching');
    this.#lifecycle.onAttaching(now);
    return encodeFrame({
      type: 'ATTACH',
      kind: this.#lifecycle.hasBeenAttached ? 'resume' : 'new',
      sessionId: this.#idHex,
      received: this.#acks.take(),
    });
  }

  peerKnown(peer: PeerInfo): void {
    this.#peer = peer;
  }

  acceptAttach(received: number, peer: PeerInfo, now: number): boolean {
    this.#advance(now);
    if (this.#ended) return false;
    this.#leavePipe();
    this.#peer = peer;
    if (!this.#resumeFrom(received)) return false;
    this.#pipeFrames.answerAttach(this.#lifecycle.hasBeenAttached ? 'resumed' : 'new');
    this.#inbound.begin('attached');
    this.#enterPipe(peer);
    return true;
  }

  receive(chunk: Uint8Array, now: number): void {
    this.#advance(now);
    if (!this.#hasPipe) return;
    try {
      this.#inbound.receive(chunk, now);
    } catch (error) {
      if (error instanceof PipeEnd) this.#onPipeEnd(error.frame);
      else if (error instanceof EpmuxError) this.#end(wireReason(error), error, true);
      else throw error;
    }
  }

  drain(now: number, roomBytes: number): readonly Uint8Array[] {
    this.#advance(now);
    const parting = this.#parting;
    this.#parting = undefined;
    if (parting !== undefined) return [parting];
    if (this.#lifecycle.state !== 'attached' || roomBytes <= 0) return [];
    const reliable: Uint8Array[] = [];
    this.#outbound.fill(now, roomBytes, reliable);
    if (this.#path.takePingWish()) this.#heartbeat.requestPing();
    const frames = this.#pipeFrames.take(now, reliable.length > 0);
    return frames.length === 0 ? reliable : [Buffer.concat(frames), ...reliable];
  }

  nextDeadline(): number {
    if (this.#lifecycle.state !== 'attached') return this.#lifecycle.deadline;
    return Math.min(this.#acks.deadline, this.#heartbeat.deadline(this.#isAwaiting));
  }

  onDeadline(now: number): void {
    this.#advance(now);
    if (this.#lifecycle.state === 'attached') {
      this.#acks.onTime(now);
      if (!this.#heartbeat.onTime(now, this.#isAwaiting)) {
        this.#failPipe(new EpmuxError('PIPE_LOST', 'nothing arrives any more'));
      }
    } else if (this.#lifecycle.attachTimedOut(now)) {
      this.#failPipe(new EpmuxError('TIMEOUT', 'the agent did not answer the attach'));
    }
    if (this.#lifecycle.graceIsOver(now)) {
      const text = 'no connection for the whole grace period';
      this.#end({ code: WireCode.TIMEOUT, text }, new EpmuxError('SESSION_LOST', text), false);
    }
  }

  probe(now: number): void {
    this.#advance(now);
    if (this.#lifecycle.state === 'attached') this.#heartbeat.probe(now);
  }

  pipeClosed(now: number): void {
    this.#advance(now);
    this.#leavePipe();
  }

  nextEvent(): SessionEvent | undefined {
    const event = this.#events.take();
    if (event?.type === 'rtt') this.#rttMs = event.ms;
    return event;
  }

  open(target: string, streamClass: StreamClass, now: number): number {
    this.#advance(now);
    if (this.#ended) throw sessionOver();
    checkTarget(target);
    if (this.#streams.isFull) throw new EpmuxError('BUSY', 'the session has no room for a stream');
    const id = this.#streams.ids.take();
    if (id === undefined) {
      const text = 'no stream ids are left';
      const error = new EpmuxError('SESSION_LOST', text);
      this.#end({ code: WireCode.EXHAUSTED, text }, error, true);
      throw error;
    }
    this.#streams.open(id, target, streamClass);
    return id;
  }

  accept(stream: number): void {
    this.#streams.accept(stream);
  }

  reject(stream: number, reason: EndReason): void {
    this.#streams.reject(stream, reason);
  }

  write(stream: number, chunk: Uint8Array): boolean {
    return this.#streams.write(stream, chunk);
  }

  bufferedBytes(stream: number): number {
    return this.#streams.get(stream)?.buffer.bytes ?? 0;
  }

  finish(stream: number): void {
    this.#streams.finish(stream);
  }

  reset(stream: number, reason: EndReason): void {
    this.#streams.reset(stream, reason);
  }

  consumed(stream: number, bytes: number, now: number): void {
    this.#advance(now);
    this.#streams.consumed(stream, bytes, now, this.#path.minRttMs ?? UNKNOWN_RTT_MS);
  }

  setDirectory(directory: Directory): void {
    if (!this.#ended) this.#control.directory(directory);
  }

  goodbye(reason: EndReason): void {
    this.#end(reason, undefined, true);
  }

  stats(now: number): SessionStats {
    return {
      state: this.#lifecycle.state,
      rttMs: this.#rttMs,
      streams: this.#streams.count,
      bytesIn: this.#remote.bytesIn,
      bytesOut: this.#streams.bytesOut,
      resumes: this.#lifecycle.resumes,
      outageMs: this.#lifecycle.outageMs(now),
      unackedBytes: this.#replay.bytes,
    };
  }

  get #ended(): boolean {
    return this.#lifecycle.state === 'ended';
  }
  get #hasPipe(): boolean {
    return this.#lifecycle.state === 'attaching' || this.#lifecycle.state === 'attached';
  }
  get #isAwaiting(): boolean {
    return this.#replay.inFlight > 0;
  }

  /** Every call that takes a time passes here. A step that an attached session would never take by itself is a jump of the clock. */
  #advance(now: number): void {
    const step = now - this.#now;
    this.#now = Math.max(now, this.#now);
    if (this.#lifecycle.state === 'attached' && step > this.#clockJumpMs) {
      this.#heartbeat.onClockJump(now);
    }
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
    if (this.#replay.rewind(received)) return true;
    const text = `the other end claims to have ${received} bytes, which were not sent or are not kept`;
    this.#end({ code: WireCode.POSITION, text }, new EpmuxError('SESSION_LOST', text), true);
    return false;
  }

  #enterPipe(peer: PeerInfo): void {
    const resumed = this.#lifecycle.hasBeenAttached;
    this.#lifecycle.onAttached(this.#now);
    this.#heartbeat.onAttached(this.#now);
    this.#path.onPipe(this.#replay.sent, this.#now);
    this.#events.push({ type: 'attached', resumed, peer });
  }

  #leavePipe(): void {
    if (!this.#hasPipe) return;
    this.#inbound.end();
    this.#pipeFrames.clear();
    this.#lifecycle.onDetached(this.#now);
  }

  #failPipe(error: EpmuxError): void {
    this.#leavePipe();
    this.#events.push({ type: 'pipe-failed', error });
  }

  #onPipeEnd(frame: FrameOf<'REFUSE'> | FrameOf<'GOODBYE'>): void {
    const reason = { code: frame.code, text: frame.text };
    if (frame.type === 'REFUSE' && !FINAL_REFUSALS.has(frame.code)) {
      this.#failPipe(wireError(reason));
    } else {
      this.#end(reason, frame.code === WireCode.NONE ? undefined : wireError(reason), false);
    }
  }

  /** First failure wins; what was kept is freed. `tell`: the other end hears of it, if there is a pipe. */
  #end(reason: EndReason, error: EpmuxError | undefined, tell: boolean): void {
    if (this.#ended) return;
    if (tell && this.#hasPipe) this.#parting = encodeFrame({ type: 'GOODBYE', ...reason });
    this.#leavePipe();
    this.#lifecycle.onEnded(this.#now);
    this.#streams.clear();
    this.#control.clear();
    this.#scheduler.clear();
    this.#replay.clear();
    this.#events.push({ type: 'ended', reason, error });
  }
}

function sessionOver(): EpmuxError {
  return new EpmuxError('SESSION_LOST', 'the session has ended');
}
