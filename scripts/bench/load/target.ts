/** The service at the far end of every way. Prints its port; ends with its stdin. */
import { createServer, Socket, type SocketConstructorOpts } from 'node:net';
import { serveUntilStdinEnds } from './serve.ts';
import { CHUNK, decodeHeader, HEADER_BYTES } from './wire.ts';

const READ_BYTES = 256 * 1024;
const scratch = Buffer.allocUnsafe(READ_BYTES);

interface Handle {
  reading: boolean;
}

/**
 * Node reads accepted sockets into fresh memory only. The target is not to be what bounds a figure,
 * so it moves the handle to a socket that reads into memory of its own.
 */
function withOwnBuffer(accepted: Socket, onBytes: (bytes: Buffer) => void): Socket {
  const holder = accepted as unknown as { _handle: Handle | null };
  const handle = holder._handle;
  holder._handle = null;
  if (handle !== null) handle.reading = false;
  const options = {
    handle,
    allowHalfOpen: true,
    onread: {
      buffer: scratch,
      callback: (length: number) => {
        onBytes(scratch.subarray(0, length));
        return true;
      },
    },
  };
  return new Socket(options as SocketConstructorOpts);
}

class Connection {
  readonly #socket: Socket;
  #header = Buffer.alloc(0);
  #take: ((bytes: Buffer) => void) | undefined;

  constructor(accepted: Socket) {
    this.#socket = withOwnBuffer(accepted, (bytes) => this.#onBytes(bytes));
    this.#socket.setNoDelay(true);
    this.#socket.on('error', () => this.#socket.destroy());
    this.#socket.on('end', () => this.#socket.end());
  }

  #onBytes(bytes: Buffer): void {
    if (this.#take !== undefined) {
      this.#take(bytes);
      return;
    }
    this.#header = Buffer.concat([this.#header, bytes]);
    if (this.#header.length < HEADER_BYTES) return;
    const { mode, bytes: wanted } = decodeHeader(this.#header);
    const rest = this.#header.subarray(HEADER_BYTES);
    this.#header = Buffer.alloc(0);
    this.#take = {
      echo: () => this.#echo(),
      sink: () => this.#sink(wanted),
      source: () => this.#source(wanted),
    }[mode]();
    if (rest.length > 0) this.#take(rest);
  }

  #echo(): (bytes: Buffer) => void {
    return (bytes) => void this.#socket.write(Buffer.from(bytes));
  }

  #sink(wanted: number): (bytes: Buffer) => void {
    let left = wanted;
    return (bytes) => {
      left -= bytes.length;
      if (left === 0) this.#socket.write('!');
    };
  }

  #source(wanted: number): (bytes: Buffer) => void {
    let left = wanted;
    const pump = (): void => {
      while (left > 0) {
        const piece = left >= CHUNK.length ? CHUNK : CHUNK.subarray(0, left);
        left -= piece.length;
        if (!this.#socket.write(piece)) return;
      }
    };
    this.#socket.on('drain', pump);
    pump();
    return () => {};
  }
}

serveUntilStdinEnds(
  createServer(
    { pauseOnConnect: true, allowHalfOpen: true },
    (socket) => void new Connection(socket),
  ),
);
