import type { Socket } from 'node:net';
import { EpmuxError } from '../../protocol/errors.ts';
import type { RemoteProcess } from '../../transport/transport.ts';
import { toRpcError } from '../control/wire.ts';
import {
  creditOf,
  encodeFrames,
  encodeJson,
  type Frame,
  FrameSplitter,
  FrameType,
  jsonOf,
  WINDOW_BYTES,
} from './frames.ts';
import { sendParts } from './send.ts';

const MOST_CELLS = 65_535;

/** The daemon's end of a process's socket. Whichever of the two goes, the other goes too. Calls `onOver` once. */
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
      for (const frame of this.#frames.push(chunk)) this.#onFrame(frame);
    } catch {
      this.#socket.destroy();
    }
  }

  #onFrame(frame: Frame): void {
    switch (frame.type) {
      case FrameType.stdin:
        this.#takenBytes += frame.payload.length;
        if (this.#takenBytes > WINDOW_BYTES) throw tooMuch();
        if (!this.#remote.io.write(frame.payload)) this.#stdinFull = true;
        this.#grant();
        break;
      case FrameType.stdinEnd:
        this.#remote.io.end();
        break;
      case FrameType.resize: {
        const [columns, rows] = sizeOf(frame);
        this.#remote.resize(columns, rows);
        break;
      }
      case FrameType.signal:
        this.#remote.signal(frame.payload.toString('utf8'));
        break;
      case FrameType.credit:
        this.#mayBytes += creditOf(frame);
        if (this.#mayBytes > 0) this.#remote.io.resume();
        break;
      default:
        throw new EpmuxError('CONTROL_PROTOCOL', 'a frame that only the daemon sends');
    }
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
    Number.isInteger(cells) && Number(cells) >= 0 && Number(cells) <= MOST_CELLS;
  if (Array.isArray(size) && isCells(size[0]) && isCells(size[1])) return [size[0], size[1]];
  throw new EpmuxError('CONTROL_PROTOCOL', 'a frame holds no size');
}

function tooMuch(): EpmuxError {
  return new EpmuxError('CONTROL_PROTOCOL', 'more data than was granted');
}

function asJson(error: EpmuxError): unknown {
  return { error: toRpcError(error) };
}
