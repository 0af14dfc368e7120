import type { Socket } from 'node:net';
import type { buildConnector, Dispatcher } from 'undici';
import { hostOf } from '../runtime/address.ts';
import type { Clock } from '../runtime/clock.ts';
import { createDialer } from '../transport/create.ts';
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

/** For one call: a proxy keeps no connection that nobody uses. The library is loaded by those who have a proxy. */
export async function proxiedFetch(
  proxy: ProxySettings,
  clock: Clock,
  signal: AbortSignal,
  trust?: Trust,
): Promise<ProxiedFetch> {
  const undici = await import('undici');
  const secure = trust && { secureContext: trust.secureContext };
  const connector = undici.buildConnector({ ...secure });
  const dispatcher: Dispatcher = isSocks(proxy.url)
    ? new undici.Agent({ connect: socksConnector(proxy, connector, clock, signal) })
    : new undici.ProxyAgent({
        ...httpProxy(proxy.url),
        ...(secure && { requestTls: secure, proxyTls: secure }),
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

function socksConnector(
  { url, source }: ProxySettings,
  secure: buildConnector.connector,
  clock: Clock,
  signal: AbortSignal,
): buildConnector.connector {
  const dial = createDialer(url.href, clock, source);
  const closeWith = (socket: Socket): void => {
    const close = (): void => void socket.destroy();
    signal.addEventListener('abort', close);
    socket.once('close', () => signal.removeEventListener('abort', close));
  };
  return (options, callback) => {
    dial({ host: hostOf(options), port: Number(options.port || 443) }, signal).then(
      (socket) => {
        closeWith(socket);
        secure({ ...options, httpSocket: socket }, callback);
      },
      (error: Error) => callback(error, null),
    );
  };
}
