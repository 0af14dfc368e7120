import { createServer, type Server, type Socket } from 'node:net';
import { EpmuxError } from '../protocol/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { BytePipe } from '../runtime/pipe.ts';
import { duplexPipe } from '../runtime/socket-pipe.ts';
import { Connections } from './connections.ts';
import type { AgentOptions } from './options.ts';
import type { PipeSource } from './pipe-source.ts';
import type { ListenAddress, ListenWay } from './values.ts';

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/;

/** `onPipe` settles with undefined once the other end has proved itself. Errors: PORT_TAKEN, PERMISSION_DENIED, USAGE for an address that is not this host's or a descriptor that is no listening socket. */
export async function listen(
  { listen: way, limits, command }: AgentOptions,
  log: Logger,
  onPipe: (pipe: BytePipe) => Promise<EpmuxError | undefined>,
): Promise<PipeSource> {
  const connections = new Connections<Socket>(limits);
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    const label = `${socket.remoteAddress}:${socket.remotePort}`;
    const gaveWay = connections.enter(socket);
    if (gaveWay !== undefined) log.debug('a connection gave way to a newer one', { to: label });
    if (gaveWay === socket) return;
    void onPipe(duplexPipe(socket, label)).then((refusal) => {
      if (refusal === undefined) connections.hasProved(socket);
    });
  });
  await bind(server, way);
  // What breaks after it listens, such as too many open files, concerns one connection.
  server.on('error', (error) => log.warn('a connection was not taken', { why: error.message }));
  const { host, port } = boundTo(server, way);
  // Beside an app no more than warnings are told, and a port that was drawn nowhere else.
  const level = command.length > 0 && 'port' in way && way.port === 0 ? 'warn' : 'info';
  log[level]('the agent is listening', { address: `${host}:${port}`, pid: process.pid });
  if (!LOOPBACK.test(host)) {
    log.warn('everybody who reaches this address may try the secret', { address: host });
  }
  return {
    port,
    ended: new Promise(() => {}),
    stop: (withinMs) => stop(server, connections, withinMs),
  };
}

function bind(server: Server, way: ListenWay): Promise<void> {
  return new Promise((resolve, reject) => {
    const where = 'fd' in way ? `descriptor ${way.fd}` : `${way.host}:${way.port}`;
    server.once('error', (cause: NodeJS.ErrnoException) => reject(refusal(cause, where)));
    server.listen('fd' in way ? { fd: way.fd } : { ...way, exclusive: true }, () => {
      server.removeAllListeners('error');
      resolve();
    });
  });
}

function refusal(cause: NodeJS.ErrnoException, where: string): EpmuxError {
  if (cause.code === 'EADDRINUSE') {
    return new EpmuxError('PORT_TAKEN', `something else listens on ${where}`, { cause });
  }
  if (cause.code === 'EACCES') {
    return new EpmuxError('PERMISSION_DENIED', `listening on ${where} is not allowed`, { cause });
  }
  return new EpmuxError('USAGE', `the agent can't listen on ${where}: ${cause.message}`, { cause });
}

/** The host as it was named. */
function boundTo(server: Server, way: ListenWay): ListenAddress {
  const bound = server.address();
  const { address = '', port = 0 } = bound !== null && typeof bound === 'object' ? bound : {};
  return { host: 'fd' in way ? address : way.host, port };
}

function stop(server: Server, connections: Connections<Socket>, withinMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => connections.closeAll(), withinMs);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
