/** One session whose other end is the test: frames in, frames out, at times the test chooses. */
import { INITIAL_CREDIT_BYTES, type RoleName } from '../../src/protocol/constants.ts';
import { FrameDecoder } from '../../src/protocol/decode.ts';
import { encodeFrame } from '../../src/protocol/encode.ts';
import type { Frame } from '../../src/protocol/frames.ts';
import { SESSION_DEFAULTS, type SessionConfig } from '../../src/session/config.ts';
import { Session } from '../../src/session/session.ts';
import type { SessionEvent } from '../../src/session/types.ts';
import { PEER } from './session-pair.ts';

export class LoneSession {
  readonly session: Session;
  now = 1_000;
  readonly #role: RoleName;
  #decoder = new FrameDecoder();

  constructor(
    role: RoleName,
    config: Partial<SessionConfig> = {},
    firstStreamId: number | undefined = undefined,
  ) {
    this.#role = role;
    const all = { ...SESSION_DEFAULTS, firstWindowBytes: INITIAL_CREDIT_BYTES, ...config };
    this.session = new Session(role, all, new Uint8Array(16), this.now, firstStreamId);
  }

  /** Attached, with what both ends say on that occasion out of the way. */
  static attached(
    role: RoleName,
    config: Partial<SessionConfig> = {},
    firstStreamId?: number,
  ): LoneSession {
    const lone = new LoneSession(role, config, firstStreamId);
    lone.attach();
    lone.sent();
    lone.events();
    return lone;
  }

  /** A new pipe; `received` is the position that the other end tells. */
  attach(received = 0, kind: 'new' | 'resumed' = 'new'): void {
    this.#decoder = new FrameDecoder();
    if (this.#role === 'agent') {
      this.session.acceptAttach(received, PEER, this.now);
      return;
    }
    this.session.beginAttach(this.now);
    this.session.peerKnown(PEER);
    this.receive({ type: 'ATTACHED', kind, received });
  }

  /** The other end says this. */
  receive(...frames: Frame[]): void {
    for (const frame of frames) this.receiveBytes(encodeFrame(frame));
  }

  receiveBytes(bytes: Uint8Array): void {
    this.session.receive(bytes, this.now);
  }

  /** All that the session has to say now. */
  sent(roomBytes = Number.POSITIVE_INFINITY): Frame[] {
    const frames: Frame[] = [];
    for (const bytes of this.session.drain(this.now, roomBytes)) {
      this.#decoder.push(bytes, {
        frame: (frame) => frames.push(frame),
        data: (stream, slice) =>
          frames.push({ type: 'DATA', stream, payload: Uint8Array.from(slice) }),
        reliable() {},
      });
    }
    return frames;
  }

  sentTypes(roomBytes?: number): string[] {
    return this.sent(roomBytes).map((frame) => frame.type);
  }

  events(): SessionEvent[] {
    const events: SessionEvent[] = [];
    for (let event = this.session.nextEvent(); event !== undefined; ) {
      events.push(event);
      event = this.session.nextEvent();
    }
    return events;
  }

  /**
   * Time passes as an owner lets it: each deadline on the way is met, and what is to be said is
   * sent.
   */
  pass(ms: number): Frame[] {
    const frames: Frame[] = [];
    const until = this.now + ms;
    for (let at = this.session.nextDeadline(); at <= until; at = this.session.nextDeadline()) {
      this.now = Math.max(this.now, at);
      this.session.onDeadline(this.now);
      frames.push(...this.sent());
    }
    this.now = until;
    return frames;
  }
}
