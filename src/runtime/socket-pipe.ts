import { Socket } from 'node:net';
import type { Duplex, Readable, Writable } from 'node:stream';
import { Pieces } from '../erlang/bytes.ts';
import { PREFERRED_PAYLOAD_BYTES } from '../protocol/constants.ts';
import { EpmuxError } from '../protocol/errors.ts';
import {
  afterRead,
  type Flushing,
  isLending,
  isPlainSocket,
  readInto,
  readIntoOwn,
} from './lent-reads.ts';
import type { BytePipe, PipeHandlers } from './pipe.ts';
import { listenTo, listenToBytes, onRead, type StreamListener } from './stream-listeners.ts';
import { WaterMarks } from './water-marks.ts';

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

/**
 * So many writes wait as they are; node keeps a record of each, and each holds the chunk that it is
 * a part of. Further ones are copied together.
 */
const MAX_WRITES = 32;
const BLOCK_BYTES = 16_384;

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

class NodeStreamPipe implements BytePipe, Flushing, StreamListener {
  readonly label: string;
  readonly passes: boolean;
  readonly #readable: Readable;
  readonly #writable: Writable;
  #handlers: PipeHandlers | undefined;
  readonly #marks = new WaterMarks();
  #held: Pieces | undefined;
  #writes = 0;
  /** One for all writes that wait, and not one for each. */
  #onWritten: (() => void) | undefined;
  #paused = false;
  #corked = false;
  /** Something written before this turn is not out. */
  #isBehind = false;
  #readEnded = false;
  #writeEnded = false;
  /** Set once, by what happened first. */
  #outcome: { readonly error: EpmuxError | undefined } | undefined;

  constructor(readable: Readable, writable: Writable, label: string) {
    this.label = label;
    this.#readable = readable;
    this.#writable = writable;
    this.passes = isPlainSocket(writable);
    // From the first moment on: an error between two owners must not become an uncaught exception.
    listenTo(readable, writable, this);
    if (readable.destroyed || writable.destroyed) this.#finish(this.#lost('it is closed'));
  }

  get bufferedBytes(): number {
    return this.#writable.writableLength + (this.#held?.length ?? 0);
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
    this.#cork();
    // A few bytes that wait are not to hold all the memory that they were read into.
    const isCopied = chunk.length < BLOCK_BYTES && isLending() && this.#isBehind;
    if (this.#writes < MAX_WRITES) this.#send(isCopied ? new Uint8Array(chunk) : chunk);
    else this.#hold(chunk);
    return this.#marks.onWritten(this.bufferedBytes);
  }

  end(): void {
    if (this.#outcome !== undefined || this.#writeEnded) return;
    this.#writeEnded = true;
    this.#sendHeld();
    this.#writable.end();
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

  /** True: not all is out. */
  flush(): boolean {
    this.uncork();
    return this.bufferedBytes > 0;
  }

  uncork(): void {
    if (!this.#corked) return;
    this.#corked = false;
    this.#writable.uncork();
  }

  /** All writes of one turn of the event loop leave as one. */
  #cork(): void {
    if (this.#corked) return;
    this.#corked = true;
    this.#isBehind = this.bufferedBytes > 0;
    this.#writable.cork();
    process.nextTick(uncork, this);
    afterRead(this);
  }

  #send(chunk: Uint8Array): void {
    this.#writes += 1;
    this.#onWritten ??= () => this.#written();
    this.#writable.write(chunk, this.#onWritten);
  }

  #hold(chunk: Uint8Array): void {
    this.#held ??= new Pieces();
    this.#held.push(chunk);
    if (this.#held.length >= BLOCK_BYTES) this.#sendHeld();
  }

  #sendHeld(): void {
    const bytes = this.#held?.take();
    this.#held = undefined;
    if (bytes !== undefined) this.#send(bytes);
  }

  #written(): void {
    this.#writes -= 1;
    if (this.#writes === 0) this.#onWritten = undefined;
    if (this.#writes < MAX_WRITES) this.#sendHeld();
    const room = this.#marks.onRoom(this.bufferedBytes);
    if (room && this.#outcome === undefined) this.#handlers?.onWritable();
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

function uncork(pipe: NodeStreamPipe): void {
  pipe.uncork();
}
