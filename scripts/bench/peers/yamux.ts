/**
 * `node yamux.mjs near|far PORT FOLDER`: js-libp2p's yamux, installed in FOLDER, between two
 * relays. Prints its port.
 */
import { connect, createServer, type Socket } from 'node:net';
import { join as joinPath } from 'node:path';
import { pathToFileURL } from 'node:url';
import { serveUntilStdinEnds } from '../load/serve.ts';

/** As much of it as is used here. */
interface MessageStream extends EventTarget {
  send(bytes: Uint8Array): boolean;
  pause(): void;
  resume(): void;
  close(): Promise<void>;
  abort(error: Error): void;
}
interface Muxer extends EventTarget {
  createStream(): Promise<MessageStream>;
}
interface ByteList {
  subarray(): Uint8Array;
  readonly byteLength: number;
}
interface Log {
  (): void;
  error(): void;
  trace(): void;
  newScope(): Log;
}

const [, , role, port, folder = ''] = process.argv;
const to = Number(port);
const MAX_STREAMS = 20_000;
/** Its own bound is below the windows that it opens, and it ends a stream that reaches it. */
const READ_BUFFER_BYTES = 64 * 1024 * 1024;

// js-libp2p 3 expects it, and Node has it from version 22 on.
const promises = Promise as unknown as { withResolvers?: () => object };
promises.withResolvers ??= () => {
  let settle: object = {};
  const promise = new Promise((resolve, reject) => {
    settle = { resolve, reject };
  });
  return { promise, ...settle };
};

const load = (path: string): Promise<Record<string, unknown>> =>
  import(pathToFileURL(joinPath(folder, 'node_modules', path)).href);
const { AbstractMultiaddrConnection } = (await load('@libp2p/utils/dist/src/index.js')) as {
  AbstractMultiaddrConnection: new (
    init: object,
  ) => MessageStream & { onData(bytes: Uint8Array): void; onTransportClosed(): void };
};
const { yamux } = (await load('@chainsafe/libp2p-yamux/dist/src/index.js')) as {
  yamux: (init: object) => () => { createStreamMuxer(connection: MessageStream): Muxer };
};

const silent: Log = Object.assign(() => {}, { error() {}, trace() {}, newScope: () => silent });

/** A socket as js-libp2p's TCP transport shows it to a muxer. */
class SocketConnection extends AbstractMultiaddrConnection {
  readonly #socket: Socket;

  constructor(socket: Socket, direction: 'inbound' | 'outbound') {
    super({ log: silent, direction });
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => this.onData(bytes));
    socket.on('drain', () => this.dispatchEvent(new Event('drain')));
    socket.on('close', () => this.onTransportClosed());
    socket.on('error', () => {});
  }

  sendData(bytes: ByteList): { sentBytes: number; canSendMore: boolean } {
    const sentBytes = bytes.byteLength;
    let canSendMore = true;
    this.#socket.cork();
    for (const piece of bytes as unknown as Iterable<Uint8Array>) {
      canSendMore = this.#socket.write(piece);
    }
    this.#socket.uncork();
    return { sentBytes, canSendMore };
  }
  sendReset(): void {
    this.#socket.resetAndDestroy();
  }
  sendPause(): void {
    this.#socket.pause();
  }
  sendResume(): void {
    this.#socket.resume();
  }
  async sendClose(): Promise<void> {
    this.#socket.end();
  }
}

function muxer(socket: Socket, direction: 'inbound' | 'outbound'): Muxer {
  const connection = new SocketConnection(socket, direction);
  const options = {
    maxInboundStreams: MAX_STREAMS,
    maxOutboundStreams: MAX_STREAMS,
    maxEarlyStreams: MAX_STREAMS,
    streamOptions: { maxReadBufferLength: READ_BUFFER_BYTES },
  };
  return yamux(options)().createStreamMuxer(connection);
}

function join(socket: Socket, stream: MessageStream): void {
  socket.on('data', (bytes: Buffer) => {
    if (!stream.send(bytes)) socket.pause();
  });
  stream.addEventListener('drain', () => socket.resume());
  stream.addEventListener('message', (event) => {
    const { data } = event as unknown as { data: Uint8Array | ByteList };
    const pieces = data instanceof Uint8Array ? [data] : (data as unknown as Iterable<Uint8Array>);
    let room = true;
    for (const piece of pieces) room = socket.write(piece);
    if (!room) stream.pause();
  });
  socket.on('drain', () => stream.resume());
  socket.on('end', () => stream.close().catch(() => socket.destroy()));
  socket.on('close', () => stream.abort(new Error('closed')));
  socket.on('error', () => {});
  stream.addEventListener('remoteCloseWrite', () => socket.end());
  stream.addEventListener('close', () => socket.destroy());
}

const dial = (): Socket =>
  connect({ port: to, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });

function near(): void {
  const session = muxer(dial(), 'outbound');
  serveUntilStdinEnds(
    createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) => {
      session.createStream().then(
        (stream) => {
          join(socket, stream);
          socket.resume();
        },
        () => socket.destroy(),
      );
    }),
  );
}

function far(): void {
  serveUntilStdinEnds(
    createServer({ noDelay: true }, (socket) => {
      muxer(socket, 'inbound').addEventListener('stream', (event) => {
        join(dial(), (event as unknown as { detail: MessageStream }).detail);
      });
    }),
  );
}

if (role === 'near') near();
else far();
