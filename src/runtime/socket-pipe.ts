import { Socket } from 'node:net';
import type { Duplex, Readable, Writable } from 'node:stream';
import { PREFERRED_PAYLOAD_BYTES } from '../protocol/constants.ts';
import { EpmuxError } from '../protocol/errors.ts';
import { isPlainSocket, readInto, readIntoOwn } from './lent-reads.ts';
import type { BytePipe, PipeHandlers } from './pipe.ts';
import { listenTo, listenToBytes, onRead, type StreamListener } from './stream-listeners.ts';
import { type RoomListener, TurnWriter } from './turn-writer.ts';

/**
 * A pipe over a socket, an SSH channel or any other duplex stream. Small writes leave at once
 * (TCP_NODELAY).
 */
export function duplexPipe(duplex: Duplex, label: string): BytePipe {
  if (duplex instanceof Socket) duplex.setNoDelay(true);
  duplex.allowHalfOpen = true;
  return new NodeStreamPipe(duplex, duplex, label);
}

/**
 * A pipe over a pair of streams, such as a process's stdin and stdout. Ending the process is its
 * owner's business.
 */
export function pairPipe(readable: Readable, writable: Writable, label: string): BytePipe {
  return new NodeStreamPipe(readable, writable, label);
}

/** For a socket that carries a session. */
const OWN_BYTES = 65_536;
let shared: Uint8Array | undefined;

/**
 * All sockets whose owners copy what they are given read into this; what is read at once then
 * leaves in one frame.
 */
function sharedMemory(): Uint8Array {
  shared ??= Buffer.allocUnsafeSlow(PREFERRED_PAYLOAD_BYTES);
  return shared;
}

class NodeStreamPipe implements BytePipe, RoomListener, StreamListener {
  readonly label: string;
  readonly passes: boolean;
  readonly #readable: Readable;
  readonly #writable: Writable;
  #handlers: PipeHandlers | undefined;
  readonly #writer: TurnWriter;
  #paused = false;
  #readEnded = false;
  #writeEnded = false;
  /** Set once, by what happened first. */
  #outcome: { readonly error: EpmuxError | undefined } | undefined;

  constructor(readable: Readable, writable: Writable, label: string) {
    this.label = label;
    this.#readable = readable;
    this.#writable = writable;
    this.#writer = new TurnWriter(writable, this);
    this.passes = isPlainSocket(writable);
    // From the first moment on: an error between two owners must not become an uncaught exception.
    listenTo(readable, writable, this);
    if (readable.destroyed || writable.destroyed) this.#finish(this.#lost('it is closed'));
  }

  get bufferedBytes(): number {
    return this.#writer.bytes;
  }

  start(handlers: PipeHandlers): void {
    if (this.#handlers !== undefined) {
      throw new EpmuxError('INTERNAL', `${this.label} is started twice`);
    }
    this.#handlers = handlers;
    if (this.#outcome !== undefined) {
      this.#tellClosed(this.#outcome.error);
      return;
    }
    const hasOwnWay = this.#borrowMemory(handlers);
    if (!hasOwnWay || this.#readable.readableLength > 0) listenToBytes(this.#readable);
    if (this.#paused) this.#readable.pause();
    // Whoever made the connection (a SOCKS handshake, say) may have left it paused.
    else this.#readable.resume();
    if (this.#readEnded) queueMicrotask(() => this.onReadEnd());
  }

  /** True: what the socket reads from now on does not come as `data`. */
  #borrowMemory(handlers: PipeHandlers): boolean {
    const socket = this.#readable;
    if (!(socket instanceof Socket)) return false;
    if (handlers.copies === true) return readInto(socket, sharedMemory(), onRead);
    if (handlers.passes !== true) return false;
    return readIntoOwn(socket, OWN_BYTES, (chunk) => this.onBytes(chunk));
  }

  write(chunk: Uint8Array): boolean {
    if (this.#outcome !== undefined || this.#writeEnded) return true;
    return this.#writer.write(chunk);
  }

  end(): void {
    if (this.#outcome !== undefined || this.#writeEnded) return;
    this.#writeEnded = true;
    this.#writer.end();
  }

  pause(): void {
    this.#paused = true;
    if (this.#handlers !== undefined) this.#readable.pause();
  }

  resume(): void {
    this.#paused = false;
    if (this.#handlers !== undefined) this.#readable.resume();
  }

  close(error?: EpmuxError): void {
    if (this.#outcome !== undefined) return;
    this.#finish(undefined);
    const stream = this.#readable;
    // Only TCP has a reset; what has no remote address is a pipe or a unix socket.
    if (error !== undefined && stream instanceof Socket && stream.remoteAddress !== undefined) {
      stream.resetAndDestroy();
    } else {
      stream.destroy();
      this.#writable.destroy();
    }
  }

  onRoom(): void {
    if (this.#outcome === undefined) this.#handlers?.onWritable();
  }

  onBytes(chunk: Uint8Array): void {
    if (this.#outcome === undefined) this.#handlers?.onBytes(chunk);
  }

  onReadEnd(): void {
    if (this.#outcome !== undefined) return;
    this.#readEnded = true;
    this.#handlers?.onEnd();
    this.onWriteOver();
  }

  onReadClose(): void {
    if (this.#readEnded) this.onWriteOver();
    else this.onError(new Error('it closed before its end'));
  }

  onError(cause: Error): void {
    if (this.#outcome !== undefined) return;
    this.#finish(this.#lost(cause.message, cause));
    this.#readable.destroy();
    this.#writable.destroy();
  }

  /** Both directions may be at their end now; what closes without an end is lost. */
  onWriteOver(): void {
    if (this.#outcome !== undefined || !this.#readEnded) return;
    const { writableFinished, destroyed } = this.#writable;
    if (!writableFinished && !destroyed) return;
    this.#finish(writableFinished ? undefined : this.#lost('it closed before its end'));
    this.#readable.destroy();
    this.#writable.destroy();
  }

  #finish(error: EpmuxError | undefined): void {
    this.#outcome = { error };
    this.#writer.drop();
    if (this.#handlers !== undefined) this.#tellClosed(error);
  }

  /** Never from within a call of the owner. */
  #tellClosed(error: EpmuxError | undefined): void {
    const handlers = this.#handlers;
    queueMicrotask(() => handlers?.onClosed(error));
  }

  #lost(why: string, cause?: unknown): EpmuxError {
    return new EpmuxError('PIPE_LOST', `the connection to ${this.label} broke: ${why}`, { cause });
  }
}
