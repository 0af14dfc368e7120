import type { Readable } from 'node:stream';
import type { Client, ClientCallback, ClientChannel } from 'ssh2';
import { EpmuxError } from '../../protocol/errors.ts';
import type { BytePipe } from '../../runtime/pipe.ts';
import { deferred } from '../../runtime/wait.ts';
import type { ExecRequest, ProcessExit, RemoteProcess } from '../transport.ts';
import { type ChannelHost, ChannelPipe } from './channel-pipe.ts';
import { OpenFailure, openFailureOf, SIGNALS } from './ssh-codes.ts';
import { type ProcessRequests, processRequestsOf } from './ssh2-inside.ts';

const UNKNOWN: ProcessExit = { code: undefined, signal: undefined };

/** Throws when the client is not connected. */
export function openProcess(client: Client, request: ExecRequest, opened: ClientCallback): void {
  const { command, terminal } = request;
  const pty = terminal && { term: terminal.term, cols: terminal.columns, rows: terminal.rows };
  if (command !== undefined) client.exec(command, pty === undefined ? {} : { pty }, opened);
  else client.shell(pty ?? false, opened);
}

/** What it means that the server started no process. */
export function execRefusal(error: Error, label: string): EpmuxError {
  if (openFailureOf(error) === OpenFailure.shortage) {
    return new EpmuxError('BUSY', `${label} was refused: the server has no more sessions`, {
      cause: error,
    });
  }
  return new EpmuxError('EXEC_REFUSED', `${label} was refused: ${error.message}`, { cause: error });
}

/**
 * A process on a session channel. It is over when the server has closed the channel and all output
 * was delivered.
 */
export class SshProcess implements RemoteProcess {
  readonly io: BytePipe;
  readonly exited: Promise<ProcessExit>;
  readonly #channel: ClientChannel;
  readonly #pipe: ChannelPipe;
  #exit: ProcessExit | undefined;
  #channelClosed = false;
  #listening = false;
  #stderrEnded = false;

  constructor(channel: ClientChannel, host: ChannelHost, label: string) {
    this.#channel = channel;
    const exited = deferred<ProcessExit>();
    this.exited = exited.promise;
    this.#pipe = new ChannelPipe(channel, host, label, {
      onOver: () => exited.resolve(this.#exit ?? UNKNOWN),
    });
    this.io = withStderr(this.#pipe, channel);
    channel.on('exit', (code: number | null, signal?: string) => {
      this.#exit = { code: code ?? undefined, signal };
      exited.resolve(this.#exit);
    });
    channel.on('close', () => {
      this.#channelClosed = true;
      this.#checkOver();
    });
    channel.stderr.on('end', () => {
      this.#stderrEnded = true;
      this.#checkOver();
    });
  }

  onStderr(listener: (chunk: Uint8Array) => void): void {
    this.#listening = true;
    this.#channel.stderr.on('data', listener);
    if (this.#pipe.paused) this.#channel.stderr.pause();
  }

  resize(columns: number, rows: number): void {
    const inside = processRequestsOf(this.#channel);
    if (inside === undefined) this.#channel.setWindow(rows, columns, 0, 0);
    else if (isOpen(inside)) inside.protocol.windowChange(inside.outgoing.id, rows, columns, 0, 0);
  }

  signal(name: string): void {
    const short = name.replace(/^SIG/, '');
    if (!SIGNALS.includes(short)) {
      throw new EpmuxError('USAGE', `SSH knows no signal ${name}`);
    }
    const inside = processRequestsOf(this.#channel);
    if (inside === undefined) this.#channel.signal(short);
    else if (isOpen(inside)) inside.protocol.signal(inside.outgoing.id, short);
  }

  close(): void {
    this.#pipe.close();
  }

  #checkOver(): void {
    if (!this.#channelClosed || (this.#listening && !this.#stderrEnded)) return;
    this.#pipe.fail(
      this.#exit === undefined
        ? new EpmuxError('PIPE_LOST', `${this.#pipe.label} ended without an exit code`)
        : undefined,
    );
  }
}

/** The channel's own `signal` and `setWindow` do nothing once stdin has ended. */
function isOpen({ outgoing }: ProcessRequests): boolean {
  return outgoing.state === 'open' || outgoing.state === 'eof';
}

/**
 * The pipe, whose pause holds stderr as well. ssh2 opens the whole window of the channel anew
 * whenever one of the two is read, however much of the other waits: here nothing opens it while the
 * pipe is paused or stderr is full.
 */
function withStderr(pipe: ChannelPipe, channel: ClientChannel): BytePipe {
  const stderr: Readable = channel.stderr;
  const mayOpen = (): boolean =>
    !pipe.paused && stderr.readableLength < stderr.readableHighWaterMark;
  guardWindow(channel, mayOpen, mayOpen);
  // Asked for more just before what was read is taken off its length.
  guardWindow(stderr, mayOpen, () => !pipe.paused);
  return {
    label: pipe.label,
    get bufferedBytes() {
      return pipe.bufferedBytes;
    },
    start: (handlers) => pipe.start(handlers),
    write: (chunk) => pipe.write(chunk),
    end: () => pipe.end(),
    pause() {
      pipe.pause();
      stderr.pause();
    },
    resume() {
      pipe.resume();
      if (stderr.listenerCount('data') > 0) stderr.resume();
      // What was read while nothing could open the window is not read again; a full stream opens it
      // itself.
      if (channel.readableLength < channel.readableHighWaterMark) channel._read(0);
    },
    close: (error) => pipe.close(error),
  };
}

/**
 * Lets ssh2 open the window after a push, or when the stream asks for more, only if this says so.
 */
function guardWindow(stream: Readable, afterPush: () => boolean, onRead: () => boolean): void {
  const push = stream.push.bind(stream);
  const read = stream._read.bind(stream);
  stream.push = (chunk: unknown) => push(chunk) && afterPush();
  stream._read = (size) => {
    if (onRead()) read(size);
  };
}
