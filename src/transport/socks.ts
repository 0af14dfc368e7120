import type { Socket } from 'node:net';
import type { SocksClient } from 'socks';
import { EpmuxError } from '../protocol/errors.ts';
import { type Address, hostPort } from '../runtime/address.ts';
import { attempt } from '../runtime/attempt.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Dialer } from './dial.ts';
import { MAX_TEXT_BYTES, type SocksProxy } from './socks-url.ts';

const HANDSHAKE_LIMIT_MS = 10_000;

/**
 * Connections through the proxy, which also looks the host names up. `direct` reaches the proxy
 * itself.
 */
export function socksDialer(proxy: SocksProxy, direct: Dialer, clock: Clock): Dialer {
  return async (to, signal) => {
    if (Buffer.byteLength(to.host) > MAX_TEXT_BYTES) {
      throw new EpmuxError('HOST_UNKNOWN', 'a host name has at most 255 bytes');
    }
    const library = await import('socks');
    const socket = await direct(proxy, signal).catch((error: unknown) => {
      if (signal.aborted || !(error instanceof EpmuxError)) throw error;
      throw error.with({ message: `SOCKS proxy: ${error.message}` });
    });
    const at = hostPort(proxy);
    return attempt<Socket>(
      {
        what: `connecting to ${hostPort(to)} through the SOCKS proxy ${at}`,
        signal,
        clock,
        limitMs: HANDSHAKE_LIMIT_MS,
        late: () => failed(proxy, to, `it did not answer within ${HANDSHAKE_LIMIT_MS / 1_000} s`),
      },
      ({ succeed, fail }) => {
        handshake(library.SocksClient, proxy, to, socket).then(
          () => succeed(socket),
          (error: Error) => fail(failed(proxy, to, error.message)),
        );
        return () => socket.destroy();
      },
    );
  };
}

async function handshake(
  client: typeof SocksClient,
  proxy: SocksProxy,
  to: Address,
  socket: Socket,
): Promise<void> {
  const giveUp = (): void => void socket.destroy();
  socket.once('end', giveUp);
  await client.createConnection({
    command: 'connect',
    existing_socket: socket,
    timeout: HANDSHAKE_LIMIT_MS,
    destination: { host: to.host, port: to.port },
    proxy: {
      type: 5,
      host: proxy.host,
      port: proxy.port,
      ...(proxy.user === '' ? {} : { userId: proxy.user, password: proxy.password }),
    },
  });
  socket.off('end', giveUp);
  await takeEarlyBytes(socket);
}

/**
 * The library emits what the far end sent right behind the proxy's answer in the next
 * `setImmediate`, to whoever listens then, and lets the socket flow. Nobody reads yet: put it back,
 * and stop the flow.
 */
async function takeEarlyBytes(socket: Socket): Promise<void> {
  const early: Buffer[] = [];
  const keep = (chunk: Buffer): void => void early.push(chunk);
  socket.on('data', keep);
  await new Promise((resolve) => setImmediate(resolve));
  socket.pause();
  socket.off('data', keep);
  if (socket.readableEnded) throw new Error('the connection was closed at once');
  if (early.length > 0) socket.unshift(Buffer.concat(early));
}

/** The library's own error is not kept as a cause: it carries the password. */
function failed(proxy: SocksProxy, to: Address, why: string): EpmuxError {
  const auth = /auth/i.test(why);
  return new EpmuxError(
    'CONNECT_FAILED',
    `the SOCKS proxy ${hostPort(proxy)} did not connect to ${hostPort(to)}: ${why}`,
    auth
      ? { hint: `check user and password in ${proxy.label}`, details: { refused: 'credentials' } }
      : {},
  );
}
