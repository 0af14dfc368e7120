import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { EpmuxError, messageOf } from '../protocol/errors.ts';
import { hostPort } from '../runtime/address.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { BytePipe } from '../runtime/pipe.ts';
import { duplexPipe } from '../runtime/socket-pipe.ts';
import { deferred } from '../runtime/wait.ts';
import { Connections } from './connections.ts';
import type { AgentOptions } from './options.ts';
import type { PipeSource } from './pipe-source.ts';
import type { ListenAddress, ListenWay } from './values.ts';

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/;

/**
 * `onPipe` settles with undefined once the other end has proved itself. Errors: PORT_TAKEN,
 * PERMISSION_DENIED, USAGE for an address that is not this host's or a descriptor that is no
 * listening socket.
 */
export async function listen(
  { listen: way, limits, command }: AgentOptions,
  clock: Clock,
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
    stop: (withinMs) => stop(server, connections, clock, withinMs),
  };
}

async function bind(server: Server, way: ListenWay): Promise<void> {
  try {
    const where = 'fd' in way ? { fd: way.fd } : { ...way, exclusive: true };
    await once(server.listen(where), 'listening');
  } catch (cause) {
    throw refusal(cause, 'fd' in way ? `descriptor ${way.fd}` : hostPort(way));
  }
}

function refusal(cause: unknown, where: string): EpmuxError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'EADDRINUSE') {
    return new EpmuxError('PORT_TAKEN', `something else listens on ${where}`, { cause });
  }
  if (code === 'EACCES') {
    return new EpmuxError('PERMISSION_DENIED', `listening on ${where} is not allowed`, { cause });
  }
  const why = `the agent can't listen on ${where}: ${messageOf(cause)}`;
  return new EpmuxError('USAGE', why, { cause });
}

/** The host as it was named. */
function boundTo(server: Server, way: ListenWay): ListenAddress {
  const bound = server.address();
  const { address = '', port = 0 } = bound !== null && typeof bound === 'object' ? bound : {};
  return { host: 'fd' in way ? address : way.host, port };
}

async function stop(
  server: Server,
  connections: Connections<Socket>,
  clock: Clock,
  withinMs: number,
): Promise<void> {
  const closed = deferred();
  server.close(() => closed.resolve());
  const cancel = clock.wakeAt(clock.now() + withinMs, () => connections.closeAll());
  await closed.promise;
  cancel();
}
