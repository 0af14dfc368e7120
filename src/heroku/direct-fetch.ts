import http from 'node:http';
import https from 'node:https';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import tls, { type TLSSocket } from 'node:tls';
import { hostOf } from '../runtime/address.ts';
import { SOFTWARE } from '../runtime/version.ts';
import type { FetchAnswer, FetchInit } from './proxied-fetch.ts';
import { IDLE_MS, type Trust } from './trust.ts';

/** One made in advance has to last until the first question. */
const UNUSED_MS = 10_000;

/** Keeps connections for the next question, and takes those first that were made in advance. */
class Connections extends https.Agent {
  readonly #unused = new Map<string, TLSSocket[]>();

  constructor() {
    super({ keepAlive: true, timeout: IDLE_MS });
  }

  /** Failures are silent: who asks makes a connection of its own then. */
  prepare(url: URL, count: number): void {
    const host = hostOf(url);
    const address = { host, port: Number(url.port || 443) };
    const unused = this.#unusedTo(address);
    while (unused.length < count) {
      const socket = tls.connect({
        ...address,
        ...(isIP(host) > 0 ? {} : { servername: host }),
        ALPNProtocols: ['http/1.1'],
      });
      socket.setNoDelay();
      const drop = (): void => {
        const at = unused.indexOf(socket);
        if (at >= 0) unused.splice(at, 1);
      };
      socket.on('error', drop).once('close', drop);
      // Nobody waits for it yet.
      socket.unref();
      const timer = setTimeout(() => {
        if (unused.includes(socket)) socket.destroy();
      }, UNUSED_MS);
      timer.unref();
      unused.push(socket);
    }
  }

  override createConnection(...args: Parameters<https.Agent['createConnection']>): Duplex | null {
    const [options] = args;
    const { host, port } = options as { readonly host?: string; readonly port?: number | string };
    const prepared = this.#unusedTo({ host: host ?? '', port: Number(port) }).shift();
    if (prepared === undefined) return super.createConnection(...args) ?? null;
    prepared.ref();
    return prepared;
  }

  #unusedTo({ host, port }: { readonly host: string; readonly port: number }): TLSSocket[] {
    const key = `${host}:${port}`;
    const known = this.#unused.get(key) ?? [];
    this.#unused.set(key, known);
    return known;
  }
}

const secure = new Connections();
const plain = new http.Agent({ keepAlive: true, timeout: IDLE_MS });

/** Makes connections to the URL's host (`https:`) before anything is asked there. */
export function prepareConnections(url: URL, count: number): void {
  if (url.protocol === 'https:') secure.prepare(url, count);
}

/** As `fetch`, straight to the host, without its library: that takes longer to load than the question to be asked. */
export function directFetch(url: URL, init: FetchInit, trust?: Trust): Promise<FetchAnswer> {
  const { method, body, signal } = init;
  const isSecure = url.protocol === 'https:';
  // What must not be asked twice goes over a connection that can't have been closed meanwhile.
  const isChange = method === 'PATCH' || method === 'DELETE';
  const kept = isSecure ? (trust?.agent ?? secure) : plain;
  const agent = isChange ? false : kept;
  const secureContext = trust?.secureContext;
  const headers = { 'user-agent': SOFTWARE, ...init.headers };
  const { request } = isSecure ? https : http;
  return new Promise((resolve, reject) => {
    const options = { method, headers, agent, signal, secureContext };
    const asked = request(url, options, (response) => {
      const { statusCode: status = 0, headers: told } = response;
      resolve({
        status,
        headers: { get: (name) => told[name]?.toString() ?? null },
        body: response,
      });
    });
    asked.on('error', reject);
    asked.end(body ?? undefined);
  });
}
