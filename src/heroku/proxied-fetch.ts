import type { Socket } from 'node:net';
import type { buildConnector, Dispatcher } from 'undici';
import { hostOf } from '../runtime/address.ts';
import type { Clock } from '../runtime/clock.ts';
import { createDialer } from '../transport/create.ts';
import type { Dialer } from '../transport/dial.ts';
import { straightDialer } from './connections.ts';
import { isSocks, type ProxySettings } from './proxy.ts';
import type { Trust } from './trust.ts';

export interface FetchInit {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body: string | null;
  readonly redirect: 'manual';
  readonly signal: AbortSignal;
}

/** As much of a `Response` as is needed. */
export interface FetchAnswer {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: AsyncIterable<Uint8Array> | null;
}

/** `fetch` through a proxy. */
export interface ProxiedFetch {
  fetch(url: URL, init: FetchInit): Promise<FetchAnswer>;
  /** Ends its connections, also one that is not there yet. The answer has to be read before. */
  close(): void;
}

/**
 * For one call: a proxy keeps no connection that nobody uses. The library is loaded by those who
 * have a proxy.
 */
export async function proxiedFetch(
  proxy: ProxySettings,
  clock: Clock,
  signal: AbortSignal,
  trust?: Trust,
): Promise<ProxiedFetch> {
  const undici = await import('undici');
  const secure = trust && { secureContext: trust.secureContext };
  const connector = undici.buildConnector({ ...secure });
  const dial = isSocks(proxy.url)
    ? createDialer(proxy.url.href, clock, proxy.source)
    : straightDialer(clock);
  const connect = dialledConnector(dial, connector, signal);
  const dispatcher: Dispatcher = isSocks(proxy.url)
    ? new undici.Agent({ connect })
    : new undici.ProxyAgent({
        ...httpProxy(proxy.url),
        ...(secure && { requestTls: secure }),
        clientFactory: (origin, options) => new undici.Pool(origin, { ...options, connect }),
      });
  return {
    fetch: (url, init) => undici.fetch(url, { ...init, dispatcher }),
    close: () => void dispatcher.destroy().catch(() => undefined),
  };
}

/** User and password stand apart from the URL, so that no error of the library has them. */
function httpProxy(url: URL): { uri: string; token?: string } {
  const { origin: uri, username, password } = url;
  if (username === '' && password === '') return { uri };
  const basic = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { uri, token: `Basic ${Buffer.from(basic).toString('base64')}` };
}

function dialledConnector(
  dial: Dialer,
  secure: buildConnector.connector,
  signal: AbortSignal,
): buildConnector.connector {
  const closeWith = (socket: Socket): void => {
    const close = (): void => void socket.destroy();
    signal.addEventListener('abort', close);
    socket.once('close', () => signal.removeEventListener('abort', close));
  };
  return (options, callback) => {
    const isSecure = options.protocol === 'https:';
    const to = { host: hostOf(options), port: Number(options.port || (isSecure ? 443 : 80)) };
    dial(to, signal).then(
      (socket) => {
        closeWith(socket);
        if (isSecure) secure({ ...options, httpSocket: socket }, callback);
        else callback(null, socket);
      },
      (error: Error) => callback(error, null),
    );
  };
}
