import http from 'node:http';
import https from 'node:https';
import { SOFTWARE } from '../runtime/version.ts';
import { Connections, KEPT, type WhileConnecting } from './connections.ts';
import type { FetchAnswer, FetchInit } from './proxied-fetch.ts';
import type { Trust } from './trust.ts';

const secure = new Connections(KEPT);
const plain = new http.Agent(KEPT);

/** Makes connections to the URL's host (`https:`) before anything is asked there. */
export function prepareConnections(url: URL, count: number): void {
  if (url.protocol === 'https:') secure.prepare(url, count);
}

/**
 * As `fetch`, straight to the host, without its library: that takes longer to load than the
 * question to be asked.
 */
export function directFetch(url: URL, init: FetchInit, trust?: Trust): Promise<FetchAnswer> {
  const { method, body, signal } = init;
  const isSecure = url.protocol === 'https:';
  // What must not be asked twice goes over a connection that can't have been closed meanwhile.
  const isChange = method === 'PATCH' || method === 'DELETE';
  const kept = isSecure ? (trust?.agent ?? secure) : plain;
  const unkept = (): Connections | false => isSecure && new Connections();
  const agent = isChange ? unkept() : kept;
  const secureContext = trust?.secureContext;
  const headers = { 'user-agent': SOFTWARE, ...init.headers };
  const { request } = isSecure ? https : http;
  return new Promise((resolve, reject) => {
    const whileConnecting: WhileConnecting = { givenUp: signal };
    const options = { method, headers, agent, signal, secureContext, ...whileConnecting };
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
