import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { EpmuxError } from '../../protocol/errors.ts';
import type { BytePipe, PipeHandlers } from '../../runtime/pipe.ts';
import { deferred } from '../../runtime/wait.ts';
import type { ProcessExit, RemoteProcess } from '../../transport/transport.ts';
import { fromRpcError } from '../control/wire.ts';
import {
  creditOf,
  encodeFrames,
  encodeJson,
  type Frame,
  type FrameHandlers,
  FrameSplitter,
  FrameType,
  type FromDaemon,
  handleFrame,
  jsonOf,
} from './frames.ts';
import { sendParts } from './send.ts';
import { StdinQueue } from './stdin-queue.ts';

const LABEL = 'a process behind the daemon';
const UNKNOWN: ProcessExit = { code: undefined, signal: undefined };

/** What was received and is not delivered yet, in its order. */
type Received =
  | { readonly kind: 'stdout' | 'stderr'; readonly bytes: Uint8Array }
  | { readonly kind: 'end' }
  | { readonly kind: 'closed'; readonly error: EpmuxError | undefined };

/** The process behind a socket that the daemon has named. Throws DAEMON_NOT_RUNNING. */
export async function connectProcess(path: string): Promise<RemoteProcess> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
  } catch (cause) {
    throw new EpmuxError('DAEMON_NOT_RUNNING', 'the daemon is gone', { cause });
  }
  return new BrokeredProcess(socket);
}

/** A command's end of a process's socket (frames.ts). */
class BrokeredProcess implements RemoteProcess, BytePipe {
  readonly label = LABEL;
  readonly #exit = deferred<ProcessExit>();
  readonly exited: Promise<ProcessExit> = this.#exit.promise;
  readonly #socket: Socket;
  readonly #frames = new FrameSplitter();
  readonly #frameHandlers: FrameHandlers<FromDaemon> = {
    [FrameType.stdout]: ({ payload }) => this.#receive({ kind: 'stdout', bytes: payload }),
    [FrameType.stderr]: ({ payload }) => this.#receive({ kind: 'stderr', bytes: payload }),
    [FrameType.stdoutEnd]: () => this.#receive({ kind: 'end' }),
    [FrameType.credit]: (frame) => this.#stdin.grant(creditOf(frame)),
    [FrameType.exit]: (frame) => this.#onExit(frame),
    [FrameType.closed]: (frame) => this.#onClosed(frame),
  };
  readonly #stdin: StdinQueue;
  #handlers: PipeHandlers | undefined;
  #onStderr: ((chunk: Uint8Array) => void) | undefined;
  #received: Received[] = [];
  #paused = false;
  #delivering = false;
  /** Nothing more comes in. */
  #over = false;
  #closed = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#stdin = new StdinQueue({
      send: (parts) => sendParts(socket, parts),
      onWritable: () => this.#handlers?.onWritable(),
    });
    socket.on('data', (chunk: Buffer) => this.#onChunk(chunk));
    socket.on('error', () => socket.destroy());
    socket.on('close', () =>
      this.#finish(new EpmuxError('PIPE_LOST', 'the daemon broke the connection')),
    );
  }

  get io(): BytePipe {
    return this;
  }

  get bufferedBytes(): number {
    return this.#stdin.waitingBytes + this.#socket.writableLength;
  }

  start(handlers: PipeHandlers): void {
    this.#handlers = handlers;
    this.#deliverSoon();
  }

  onStderr(listener: (chunk: Uint8Array) => void): void {
    this.#onStderr = listener;
    this.#deliverSoon();
  }

  write(chunk: Uint8Array): boolean {
    return this.#over || this.#closed || this.#stdin.write(chunk);
  }

  end(): void {
    this.#stdin.end();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#deliverSoon();
  }

  resize(columns: number, rows: number): void {
    sendParts(this.#socket, encodeJson(FrameType.resize, [columns, rows]));
  }

  signal(name: string): void {
    sendParts(this.#socket, encodeFrames(FrameType.signal, Buffer.from(name)));
  }

  close(): void {
    if (this.#closed) return;
    this.#received = [];
    this.#paused = false;
    this.#over = true;
    this.#received.push({ kind: 'closed', error: undefined });
    this.#socket.destroy();
    this.#exit.resolve(UNKNOWN);
    this.#deliverSoon();
  }

  #onChunk(chunk: Buffer): void {
    try {
      for (const frame of this.#frames.push(chunk)) handleFrame(this.#frameHandlers, frame);
    } catch (error) {
      this.#finish(EpmuxError.from(error, 'CONTROL_PROTOCOL', 'the daemon sends what is no frame'));
      this.#socket.destroy();
    }
  }

  #onExit(frame: Frame): void {
    const { code, signal } = jsonOf(frame) as Partial<ProcessExit>;
    this.#exit.resolve({ code, signal });
  }

  #onClosed(frame: Frame): void {
    const { error } = jsonOf(frame) as { readonly error?: unknown };
    this.#finish(error === undefined ? undefined : fromRpcError(error));
  }

  /** The first end counts. */
  #finish(error: EpmuxError | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#exit.resolve(UNKNOWN);
    this.#received.push({ kind: 'closed', error });
    this.#deliverSoon();
  }

  #receive(received: Received): void {
    if (this.#over) return;
    this.#received.push(received);
    this.#deliver();
  }

  #deliverSoon(): void {
    queueMicrotask(() => this.#deliver());
  }

  #deliver(): void {
    if (this.#delivering) return;
    this.#delivering = true;
    let takenBytes = 0;
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      if (next.kind === 'stdout' || next.kind === 'stderr') takenBytes += next.bytes.length;
      this.#hand(next);
    }
    this.#delivering = false;
    if (takenBytes > 0) sendParts(this.#socket, encodeJson(FrameType.credit, takenBytes));
  }

  #next(): Received | undefined {
    const [first] = this.#received;
    if (first === undefined || this.#paused || this.#handlers === undefined) return undefined;
    if (first.kind === 'stderr' && this.#onStderr === undefined) return undefined;
    return this.#received.shift();
  }

  #hand(received: Received): void {
    switch (received.kind) {
      case 'stdout':
        this.#handlers?.onBytes(received.bytes);
        break;
      case 'stderr':
        this.#onStderr?.(received.bytes);
        break;
      case 'end':
        this.#handlers?.onEnd();
        break;
      case 'closed':
        this.#closed = true;
        this.#socket.destroy();
        this.#handlers?.onClosed(received.error);
        break;
    }
  }
}
