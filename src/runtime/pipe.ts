import type { EpmuxError } from '../protocol/errors.ts';

/** What a byte pipe tells its one owner. No call comes after `onClosed`. */
export interface PipeHandlers {
  /**
   * The chunk belongs to the receiver from here on: it is never written to again. With `copies` or
   * `passes` it is lent until the call returns.
   */
  onBytes(chunk: Uint8Array): void;
  /**
   * `onBytes` keeps nothing of a chunk but copies: the pipe may read into the same memory again,
   * which may be that of other pipes too.
   */
  readonly copies?: boolean;
  /**
   * `onBytes` does one of these with each part of a chunk: copies it, writes it to a pipe that
   * `passes`, or says `keepRead`.
   */
  readonly passes?: boolean;
  /** After `write` returned false: there is room again. */
  onWritable(): void;
  /** The other end will send nothing more; this end still may. */
  onEnd(): void;
  /** Final. `undefined` when both directions ended in order or this end closed. */
  onClosed(error: EpmuxError | undefined): void;
}

/**
 * An ordered two-way byte stream that may die at any time: a socket, an SSH channel, a child's
 * stdio, a stream of a session. Nothing is delivered before `start`. `close` is idempotent and
 * closed is final.
 */
export interface BytePipe {
  /** For logs and `status`: where it leads, without secrets. */
  readonly label: string;
  /** Bytes handed to `write` that have not left this process yet. */
  readonly bufferedBytes: number;
  /** `write` keeps nothing of a chunk but a copy. */
  readonly copies?: boolean;
  /**
   * `write` takes what was lent for the length of a read, and says `keepRead` when that was too
   * short.
   */
  readonly passes?: boolean;
  start(handlers: PipeHandlers): void;
  /**
   * Takes all of it, always. False: hand over no more before `onWritable`. Unless this pipe
   * `copies`, the chunk must not be changed before the other end has it.
   */
  write(chunk: Uint8Array): boolean;
  /** Ends this direction once everything written is out. */
  end(): void;
  /** Stops `onBytes` so that the source feels back-pressure. */
  pause(): void;
  resume(): void;
  /**
   * Drops what is buffered and frees everything. With an error: reset rather than end, where the
   * carrier can tell.
   */
  close(error?: EpmuxError): void;
}
