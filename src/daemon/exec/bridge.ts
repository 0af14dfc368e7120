import type { Socket } from 'node:net';
import { EpmuxError } from '../../protocol/errors.ts';
import type { RemoteProcess } from '../../transport/transport.ts';
import { toRpcError } from '../control/wire.ts';
import {
  creditOf,
  encodeFrames,
  encodeJson,
  type Frame,
  type FrameHandlers,
  FrameSplitter,
  FrameType,
  type FromCommand,
  handleFrame,
  jsonOf,
  WINDOW_BYTES,
} from './frames.ts';
import { sendParts } from './send.ts';

const MAX_CELLS = 65_535;

/**
 * The daemon's end of a process's socket. Whichever of the two goes, the other goes too. Calls
 * `onOver` once.
 */
export function bridgeProcess(socket: Socket, remote: RemoteProcess, onOver: () => void): void {
  const bridge = new Bridge(socket, remote);
  socket.once('close', () => {
    remote.close();
    onOver();
  });
  bridge.start();
}

class Bridge {
  readonly #socket: Socket;
  readonly #remote: RemoteProcess;
  readonly #frames = new FrameSplitter();
  readonly #handlers: FrameHandlers<FromCommand> = {
    [FrameType.stdin]: (frame) => this.#onStdin(frame),
    [FrameType.stdinEnd]: () => this.#remote.io.end(),
    [FrameType.resize]: (frame) => this.#remote.resize(...sizeOf(frame)),
    [FrameType.signal]: ({ payload }) => this.#remote.signal(payload.toString('utf8')),
    [FrameType.credit]: (frame) => this.#onCredit(frame),
  };
  /** What may still be sent of stdout and stderr; a last chunk may exceed it. */
  #mayBytes = WINDOW_BYTES;
  /** Taken from stdin, and granted anew once the process takes more. */
  #takenBytes = 0;
  #stdinFull = false;

  constructor(socket: Socket, remote: RemoteProcess) {
    this.#socket = socket;
    this.#remote = remote;
  }

  start(): void {
    const { io } = this.#remote;
    this.#socket.on('error', () => this.#socket.destroy());
    this.#socket.on('data', (chunk: Buffer) => this.#onBytes(chunk));
    this.#remote.onStderr((chunk) => this.#sendData(FrameType.stderr, chunk));
    void this.#remote.exited.then((exit) =>
      sendParts(this.#socket, encodeJson(FrameType.exit, exit)),
    );
    io.start({
      onBytes: (chunk) => this.#sendData(FrameType.stdout, chunk),
      onWritable: () => {
        this.#stdinFull = false;
        this.#grant();
      },
      onEnd: () => sendParts(this.#socket, encodeFrames(FrameType.stdoutEnd, Buffer.alloc(0))),
      onClosed: (error) => {
        // `exited` has been told by now, and its frame leaves before this one.
        void this.#remote.exited.then(() => {
          sendParts(
            this.#socket,
            encodeJson(FrameType.closed, error === undefined ? {} : asJson(error)),
          );
          this.#socket.end();
        });
      },
    });
  }

  #onBytes(chunk: Buffer): void {
    try {
      for (const frame of this.#frames.push(chunk)) handleFrame(this.#handlers, frame);
    } catch {
      this.#socket.destroy();
    }
  }

  #onStdin({ payload }: Frame): void {
    this.#takenBytes += payload.length;
    if (this.#takenBytes > WINDOW_BYTES) throw tooMuch();
    if (!this.#remote.io.write(payload)) this.#stdinFull = true;
    this.#grant();
  }

  #onCredit(frame: Frame): void {
    this.#mayBytes += creditOf(frame);
    if (this.#mayBytes > 0) this.#remote.io.resume();
  }

  #grant(): void {
    if (this.#stdinFull || this.#takenBytes === 0) return;
    sendParts(this.#socket, encodeJson(FrameType.credit, this.#takenBytes));
    this.#takenBytes = 0;
  }

  #sendData(type: FrameType, chunk: Uint8Array): void {
    this.#mayBytes -= chunk.length;
    if (this.#mayBytes <= 0) this.#remote.io.pause();
    sendParts(this.#socket, encodeFrames(type, chunk));
  }
}

function sizeOf(frame: Frame): [columns: number, rows: number] {
  const size = jsonOf(frame);
  const isCells = (cells: unknown): cells is number =>
    Number.isInteger(cells) && Number(cells) >= 0 && Number(cells) <= MAX_CELLS;
  if (Array.isArray(size) && isCells(size[0]) && isCells(size[1])) return [size[0], size[1]];
  throw new EpmuxError('CONTROL_PROTOCOL', 'a frame holds no size');
}

function tooMuch(): EpmuxError {
  return new EpmuxError('CONTROL_PROTOCOL', 'more data than was granted');
}

function asJson(error: EpmuxError): unknown {
  return { error: toRpcError(error) };
}
