import type { ClientChannel } from 'ssh2';
import { EpmuxError } from '../../protocol/errors.ts';
import { keepRead } from '../../runtime/lent-reads.ts';
import type { BytePipe, PipeHandlers } from '../../runtime/pipe.ts';
import { WaterMarks } from '../../runtime/water-marks.ts';
import { widerWindow } from './wide-window.ts';

/** What a channel's pipe needs of the connection that it is on. */
export interface ChannelHost {
  /** Bytes that wait for the socket. */
  readonly backlogBytes: number;
  cork(): void;
  /** As long as it lives the pipe hears of the connection's loss. */
  keep(pipe: ChannelPipe): void;
  forget(pipe: ChannelPipe): void;
  /** An owner of a pipe has all of what came. */
  took(chunk: Uint8Array): void;
}

/**
 * A pipe is over when both directions have ended. With a watcher it is over when the watcher says
 * so by `fail`: a process may outlive its stdio.
 */
export interface PipeWatcher {
  /** Once, before the owner hears of it. */
  onOver(): void;
}

/**
 * A pipe over an SSH channel. ssh2 takes what the channel's window allows whether or not the socket
 * takes it, and shows the loss of a connection as an orderly end of its channels: so this one
 * counts the socket's backlog, and hears of a loss from its connection.
 */
export class ChannelPipe implements BytePipe {
  readonly label: string;
  readonly #channel: ClientChannel;
  readonly #host: ChannelHost;
  readonly #watcher: PipeWatcher | undefined;
  #handlers: PipeHandlers | undefined;
  #renewWindow: (() => void) | undefined;
  readonly #marks = new WaterMarks();
  #paused = false;
  #readEnded = false;
  #writeEnded = false;
  #writeFinished = false;
  /** Set once, by what happened first. */
  #outcome: { readonly error: EpmuxError | undefined } | undefined;

  constructor(channel: ClientChannel, host: ChannelHost, label: string, watcher?: PipeWatcher) {
    this.label = label;
    this.#channel = channel;
    this.#host = host;
    this.#watcher = watcher;
    host.keep(this);
    channel.on('error', (cause: Error) => this.fail(this.#lost(cause.message, cause)));
    channel.on('end', () => this.#ended());
    channel.on('finish', () => {
      this.#writeFinished = true;
      this.#checkOver();
    });
    if (watcher !== undefined) return;
    channel.on('close', () => this.fail(this.#lost('the far end closed it')));
  }

  /** For an owner that takes all that comes: a path of any length may be full of it. */
  widenWindow(): void {
    this.#renewWindow = widerWindow(this.#channel);
    this.#renewWindow?.();
  }

  get bufferedBytes(): number {
    return this.#channel.writableLength + this.#host.backlogBytes;
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
    const isKept = handlers.copies !== true && handlers.passes !== true;
    this.#channel.on('data', (chunk: Uint8Array) => {
      if (this.#outcome !== undefined) return;
      if (isKept) keepRead();
      handlers.onBytes(chunk);
      this.#host.took(chunk);
      this.#renewWindow?.();
    });
    if (this.#paused) this.#channel.pause();
  }

  write(chunk: Uint8Array): boolean {
    if (this.#outcome !== undefined || this.#writeEnded) return true;
    this.#host.cork();
    this.#channel.write(chunk, this.#onWritten);
    return this.#marks.onWritten(this.bufferedBytes);
  }

  end(): void {
    if (this.#outcome !== undefined || this.#writeEnded) return;
    this.#writeEnded = true;
    this.#channel.end();
  }

  get paused(): boolean {
    return this.#paused;
  }

  pause(): void {
    this.#paused = true;
    if (this.#handlers !== undefined) this.#channel.pause();
  }

  resume(): void {
    this.#paused = false;
    if (this.#handlers !== undefined) this.#channel.resume();
  }

  /** SSH knows no reset of a channel: the far end sees an end either way. */
  close(_error?: EpmuxError): void {
    this.fail(undefined);
  }

  /** Ends it from below; the owner is told. */
  fail(error: EpmuxError | undefined): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = { error };
    this.#host.forget(this);
    this.#watcher?.onOver();
    this.#channel.pause();
    this.#channel.close();
    if (this.#handlers !== undefined) this.#tellClosed(error);
  }

  /** Something of what waited has left. */
  onRoom(): void {
    if (this.#outcome === undefined && this.#marks.onRoom(this.bufferedBytes)) {
      this.#handlers?.onWritable();
    }
  }

  readonly #onWritten = (): void => this.onRoom();

  #ended(): void {
    if (this.#outcome !== undefined) return;
    this.#readEnded = true;
    this.#handlers?.onEnd();
    this.#checkOver();
  }

  #checkOver(): void {
    if (this.#watcher !== undefined) return;
    if (this.#readEnded && this.#writeEnded && this.#writeFinished) this.fail(undefined);
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
