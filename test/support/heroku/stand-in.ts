/**
 * Heroku as its own CLI sees it: the platform API and the exec manager over HTTPS, and dynos with
 * real sshd behind them. Everything on loopback.
 *
 *     const heroku = await HerokuStandIn.start();
 *     const app = heroku.addApp('my-app');
 *     app.boot = async (dyno) => void (await dyno.app());
 *     await app.scaleUp('web.1');
 *     …run `epmux` or the real `heroku` with heroku.env
 *     heroku.fail('PUT /api/v2', { status: 503, times: 3 });        // or { silence: true }, { drop: true }
 *     heroku.requests                                                // what was asked, in order
 *     await heroku.stop();
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AppOptions, StandInApp } from './app.ts';
import { makeCertificate } from './certificate.ts';
import { type Answer, managerAnswer } from './manager.ts';
import { platformAnswer } from './platform.ts';

export interface Failure {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** How often; for ever unless told. */
  readonly times?: number;
  /** Never answers. */
  readonly silence?: boolean;
  /** Breaks the connection. */
  readonly drop?: boolean;
}

const MAX_BODY_BYTES = 1_000_000;

export class HerokuStandIn {
  readonly token: string = `HRKU-${randomBytes(16).toString('hex')}`;
  readonly apps = new Map<string, StandInApp>();
  /** `METHOD /path`, in the order they came. */
  readonly requests: string[] = [];
  /** Gives the address that a dyno's SSH server is announced at; `host:port` unless replaced. */
  tunnelHost: (port: number) => string | Promise<string> = (port) => `127.0.0.1:${port}`;
  readonly #server: Server;
  readonly #folder: string;
  readonly #caFile: string;
  readonly #failures: { route: string; failure: Failure; left: number }[] = [];

  private constructor(folder: string) {
    const { cert, key, caFile } = makeCertificate(folder);
    this.#folder = folder;
    this.#caFile = caFile;
    this.#server = createServer({ cert, key }, (request, response) => {
      this.#serve(request, response).catch((error) => response.destroy(error));
    });
  }

  static async start(): Promise<HerokuStandIn> {
    const standIn = new HerokuStandIn(mkdtempSync(join(tmpdir(), 'epmux-heroku-')));
    standIn.#server.listen(0, '127.0.0.1');
    await once(standIn.#server, 'listening');
    return standIn;
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** What leads a client here: ours and Heroku's own. */
  get env(): Record<string, string> {
    return {
      HEROKU_API_KEY: this.token,
      HEROKU_API_URL: this.url,
      HEROKU_HOST: this.url,
      HEROKU_EXEC_URL: `${this.url}/`,
      NODE_EXTRA_CA_CERTS: this.#caFile,
    };
  }

  addApp(name: string, options: AppOptions = {}): StandInApp {
    const app = new StandInApp(name, options);
    this.apps.set(name, app);
    return app;
  }

  /**
   * Requests whose `METHOD /path` begins so fail from now on; the newest failure that fits counts.
   */
  fail(route: string, failure: Failure): void {
    this.#failures.unshift({ route, failure, left: failure.times ?? Number.POSITIVE_INFINITY });
  }

  heal(): void {
    this.#failures.length = 0;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await Promise.all([...this.apps.values()].map((app) => app.stop()));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const route = `${request.method} ${request.url}`;
    this.requests.push(route);
    const body = await readBody(request);
    const failing = this.#failures.find((each) => route.startsWith(each.route) && each.left > 0);
    if (failing !== undefined) {
      failing.left -= 1;
      if (failing.failure.silence === true) return;
      if (failing.failure.drop === true) {
        request.socket.destroy();
        return;
      }
    }
    const answer =
      failing === undefined ? await this.#answer(request, body) : refused(failing.failure);
    response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
    response.end(JSON.stringify(answer.body));
  }

  async #answer(request: IncomingMessage, body: string): Promise<Answer> {
    const [path = ''] = (request.url ?? '').split('?');
    const call = { method: request.method ?? '', path, headers: request.headers, body };
    return path.startsWith('/api/v') ? managerAnswer(this, call) : platformAnswer(this, call);
  }
}

function refused(failure: Failure): Answer {
  const body = { id: 'stand_in', message: 'this failure was asked for' };
  return { status: failure.status ?? 503, headers: failure.headers ?? {}, body };
}

async function readBody(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) {
    body += chunk;
    if (body.length > MAX_BODY_BYTES) throw new Error('the body is too long');
  }
  return body;
}
