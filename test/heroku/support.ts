import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Credentials } from '../../src/heroku/credentials.ts';
import type { HttpPorts } from '../../src/heroku/http-call.ts';
import type { Cancel, Clock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import type { Certificate } from '../support/heroku/certificate.ts';

export const never = new AbortController().signal;

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export type Answer =
  | { readonly status?: number; readonly headers?: Record<string, string>; readonly json: unknown }
  | { readonly status?: number; readonly headers?: Record<string, string>; readonly text: string }
  | ((request: IncomingMessage, response: ServerResponse) => void);

/**
 * An HTTP server on loopback that writes down what it is asked and gives the next answer, the last
 * one for ever.
 */
export class ScriptedServer {
  readonly asked: Asked[] = [];
  #answers: Answer[] = [];
  readonly #server: Server;
  readonly #scheme: string;

  private constructor(server: Server, scheme: string) {
    this.#server = server;
    this.#scheme = scheme;
  }

  /** With a certificate over TLS. */
  static async start(own?: Pick<Certificate, 'cert' | 'key'>): Promise<ScriptedServer> {
    const server = own === undefined ? createServer() : createTlsServer(own);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const scripted = new ScriptedServer(server, own === undefined ? 'http' : 'https');
    server.on('request', (request, response) => void scripted.#serve(request, response));
    return scripted;
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get host(): string {
    return new URL(this.url).host;
  }

  answer(...answers: Answer[]): void {
    this.#answers = answers;
    this.asked.length = 0;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const { method = '', url = '', headers } = request;
    this.asked.push({ method, path: url, headers, body });
    const answer = this.#answers.length > 1 ? this.#answers.shift() : this.#answers[0];
    if (answer === undefined) response.writeHead(500).end();
    else if (typeof answer === 'function') answer(request, response);
    else {
      response.writeHead(answer.status ?? 200, answer.headers);
      response.end('text' in answer ? answer.text : JSON.stringify(answer.json));
    }
  }
}

/** Waits pass at once and are written down; limits of calls never run out. */
export class HurriedClock implements Clock {
  readonly waits: number[] = [];
  readonly #limits: readonly number[];
  #now = 1_000;

  constructor(limits: readonly number[] = [10_000, 15_000, 20_000]) {
    this.#limits = limits;
  }

  now(): number {
    return this.#now;
  }

  wallNow(): number {
    return this.#now;
  }

  wakeAt(at: number, fire: () => void): Cancel {
    const wait = at - this.#now;
    if (this.#limits.includes(wait)) return () => {};
    this.waits.push(wait);
    const timer = setImmediate(() => {
      this.#now = Math.max(this.#now, at);
      fire();
    });
    return () => clearImmediate(timer);
  }
}

export function ports(clock: Clock = new HurriedClock(), random = () => 0.5): HttpPorts {
  return { clock, random, logger: silentLogger };
}

/** Always the same key. */
export function fixedKey(key: string): Credentials {
  return {
    current: async () => ({ key, source: 'HEROKU_API_KEY' }),
    renewed: async () => undefined,
  };
}
