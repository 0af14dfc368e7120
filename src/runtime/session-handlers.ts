import type { EpmuxError } from '../protocol/errors.ts';
import type { Directory, EndReason, PeerInfo } from '../session/types.ts';
import type { IncomingStream } from './session-stream.ts';

/** What the driver tells its owner; never from within a call of the owner. */
export interface SessionDriverHandlers {
  onAttached(resumed: boolean, peer: PeerInfo): void;
  /** The session waits for another pipe. */
  onPipeLost(error: EpmuxError): void;
  /** Final; every stream has been closed before. */
  onEnded(reason: EndReason, error: EpmuxError | undefined): void;
  onDirectory(directory: Directory): void;
  onIncoming(stream: IncomingStream): void;
  onRtt(ms: number): void;
  /**
   * One of these handlers, or one of a stream's owner, threw: a bug. That stream is reset with
   * INTERNAL and the session goes on. Without this handler the exception is thrown again where
   * nobody catches it.
   */
  onFault?(error: EpmuxError): void;
}
