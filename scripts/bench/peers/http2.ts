/**
 * `node http2.mjs near|far PORT WINDOW`: Node's own http2 as a multiplexer, one stream a
 * connection. Prints its port.
 */
import {
  type ClientHttp2Session,
  connect as connectHttp2,
  createServer as createHttp2Server,
  type Http2Stream,
  type SessionOptions,
} from 'node:http2';
import { connect, createServer, type Socket } from 'node:net';
import { serveUntilStdinEnds } from '../load/serve.ts';

const [, , role, port, window] = process.argv;
const to = Number(port);
const windowBytes = Number(window);
const OPTIONS: SessionOptions = {
  maxSessionMemory: 1_000,
  settings: { initialWindowSize: windowBytes, maxFrameSize: 65_536, maxConcurrentStreams: 20_000 },
};

function join(socket: Socket, stream: Http2Stream): void {
  socket.on('error', () => stream.destroy()).on('close', () => stream.destroy());
  stream.on('error', () => socket.destroy()).on('close', () => socket.destroy());
  socket.pipe(stream);
  stream.pipe(socket);
}

function near(): void {
  const session: ClientHttp2Session = connectHttp2(`http://127.0.0.1:${to}`, {
    ...OPTIONS,
    createConnection: () => connect({ port: to, host: '127.0.0.1', noDelay: true }),
  });
  session.on('connect', () => session.setLocalWindowSize(windowBytes));
  serveUntilStdinEnds(
    createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      join(socket, session.request({ ':method': 'POST', ':path': '/' }, { endStream: false }));
    }),
  );
}

function far(): void {
  const server = createHttp2Server(OPTIONS);
  server.on('session', (session) => session.setLocalWindowSize(windowBytes));
  server.on('connection', (socket: Socket) => socket.setNoDelay(true));
  server.on('stream', (stream) => {
    stream.respond({ ':status': 200 });
    join(connect({ port: to, host: '127.0.0.1', allowHalfOpen: true, noDelay: true }), stream);
  });
  serveUntilStdinEnds(server);
}

if (role === 'near') near();
else far();
