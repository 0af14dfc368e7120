import type { Directory } from '../protocol/directory.ts';
import type { EpmuxError } from '../protocol/errors.ts';
import type { EndReason, StreamClass } from '../protocol/frames.ts';
import type { PeerInfo } from '../protocol/hello.ts';
import type { SessionState } from './lifecycle.ts';

export type { Directory, DirectoryNode } from '../protocol/directory.ts';
export type { EndReason, StreamClass } from '../protocol/frames.ts';
export type { PeerInfo } from '../protocol/hello.ts';

/**
 * What the session tells its owner; taken by `nextEvent()` after each call that takes a time. Byte
 * chunks in `data` belong to the receiver, who gives the credit back with `consumed`.
 */
export type SessionEvent =
  | { readonly type: 'attached'; readonly resumed: boolean; readonly peer: PeerInfo }
  /** The pipe must be closed; the session stays and waits for another pipe. */
  | { readonly type: 'pipe-failed'; readonly error: EpmuxError }
  /** Every stream is gone with it (no `closed` event each). Final. */
  | { readonly type: 'ended'; readonly reason: EndReason; readonly error: EpmuxError | undefined }
  | {
      readonly type: 'opened';
      readonly stream: number;
      readonly target: string;
      readonly streamClass: StreamClass;
    }
  | { readonly type: 'accepted'; readonly stream: number }
  | { readonly type: 'data'; readonly stream: number; readonly chunk: Uint8Array }
  | { readonly type: 'finished'; readonly stream: number }
  | { readonly type: 'writable'; readonly stream: number }
  /**
   * Once for each stream, whichever end ended it: rejected, reset, or finished both ways (code
   * NONE). With NONE data told before is still to be `consumed`, or let go of by `reset`.
   */
  | { readonly type: 'closed'; readonly stream: number; readonly reason: EndReason }
  | { readonly type: 'directory'; readonly directory: Directory }
  | { readonly type: 'rtt'; readonly ms: number };

/**
 * What became of an ATTACH. `overtaken`: it is older than what was acknowledged since, on another
 * pipe; nothing has changed. `ended`: no session can be resumed from there, and this one is over.
 */
export type AttachOutcome = 'taken' | 'overtaken' | 'ended';

export interface SessionStats {
  readonly state: SessionState;
  readonly rttMs: number | undefined;
  readonly streams: number;
  /** Stream payload bytes, both since the session began. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly resumes: number;
  /** Total time without a pipe since the first attach, in ms. */
  readonly outageMs: number;
  /** Bytes kept for replay at this moment. */
  readonly unackedBytes: number;
  /** These, what waits in the streams' send buffers, and what arrived and was not consumed. */
  readonly heldBytes: number;
}

/**
 * A pipe's life. Daemon: `beginAttach` gives the ATTACH frame, which the handshake sends right
 * behind the proof; once the agent's proof holds, `peerKnown`, and all further bytes go to
 * `receive`. Agent: the handshake hands ATTACH to the registry, which picks or makes the session
 * and calls `acceptAttach`. Then `receive` and `drain` on both ends, and `pipeClosed` at the end. A
 * new attach takes the place of a pipe that is still there.
 */
export interface SessionPipeSide {
  /** Daemon only: a new pipe is there; the frame to send behind the proof (`new` or `resume`). */
  beginAttach(now: number): Uint8Array;
  /** Daemon only: the agent has proved itself and said this of itself. */
  peerKnown(peer: PeerInfo): void;
  /**
   * Agent only: takes the pipe on which this ATTACH came, in place of an older one, unless it can't
   * be resumed from there.
   */
  acceptAttach(received: number, peer: PeerInfo, now: number): AttachOutcome;
  receive(chunk: Uint8Array, now: number): void;
  /**
   * Bytes to write to the pipe now, at most about `roomBytes`; empty when there is nothing to say
   * or the amount in flight is at its limit. The buffers are not changed afterwards.
   */
  drain(now: number, roomBytes: number): readonly Uint8Array[];
  /**
   * How many bytes may lie in the pipe's buffer: few as long as a stream that says little may have
   * to wait behind them.
   */
  mostQueuedBytes(now: number): number;
  pipeClosed(now: number): void;
}

/** A session has no clock of its own. */
export interface SessionClock {
  /** When `onDeadline` wants to be called; Infinity: not until something else happens. */
  nextDeadline(): number;
  onDeadline(now: number): void;
  /** The machine slept or the network changed: is the pipe alive? */
  probe(now: number): void;
}

/**
 * Calls for a stream that is over do nothing (`write` says false): the other end may have ended it
 * before its owner knows.
 */
export interface SessionStreams {
  /** Throws SESSION_LOST after the end or when the ids are used up, BUSY with `maxStreams` open. */
  open(target: string, streamClass: StreamClass, now: number): number;
  accept(stream: number): void;
  reject(stream: number, reason: EndReason): void;
  /** Copies all of it. False: the stream's send buffer is over its limit; wait for `writable`. */
  write(stream: number, chunk: Uint8Array): boolean;
  /** Bytes written to the stream that have not been put into frames yet. */
  bufferedBytes(stream: number): number;
  finish(stream: number): void;
  reset(stream: number, reason: EndReason): void;
  /** The receiver has dealt with so many bytes of `data`: credit for as many may go out. */
  consumed(stream: number, bytes: number, now: number): void;
}

/**
 * One session as a pure state machine: bytes and time in; bytes, events and the next deadline out.
 * No I/O, no clock. `now` is in milliseconds on a monotonic scale and never goes back.
 */
export interface SessionPort extends SessionPipeSide, SessionClock, SessionStreams {
  nextEvent(): SessionEvent | undefined;
  setDirectory(directory: Directory): void;
  /**
   * Ends the session; the next `drain` gives GOODBYE for the pipe that was there, and nothing
   * behind it.
   */
  goodbye(reason: EndReason): void;
  stats(now: number): SessionStats;
}
