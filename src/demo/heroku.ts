import { timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LOOPBACK } from '../runtime/address.ts';

const MAX_BODY_BYTES = 64 * 1_024;
const REQUEST_MS = 10_000;
const EXEC_FEATURE = 'runtime-heroku-exec';

/** A dyno as Heroku's services tell of it. */
export interface ServedDyno {
  /** Another one after each restart. */
  readonly id: string;
  /** `web.1` */
  readonly name: string;
  readonly state: 'starting' | 'up' | 'crashed';
  /** The way in, while it is up. */
  readonly ssh: ServedSsh | undefined;
}

export interface ServedSsh {
  readonly user: string;
  readonly port: number;
  readonly hostKey: string;
  /** Says whether that is a key. */
  authorize(publicKey: string): boolean;
}

/** The app behind the services. */
export interface ServedApp {
  readonly name: string;
  readonly configVars: Readonly<Record<string, string>>;
  dynos(): readonly ServedDyno[];
  /** Begins a restart. */
  restartSoon(dyno: string): void;
}

export interface Heroku {
  /** Both services', without a trailing slash. */
  readonly url: string;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

interface Call {
  readonly method: string;
  /** Below the app, or below `/api/v2`. */
  readonly path: string;
  readonly body: string;
}

/**
 * A light form of Heroku for one app: the platform API and the exec manager, to whoever knows the
 * token.
 */
export async function startHeroku(app: ServedApp, token: string): Promise<Heroku> {
  const server = createServer({ requestTimeout: REQUEST_MS }, (request, response) => {
    request.on('error', () => response.destroy());
    response.on('error', () => response.destroy());
    answer(app, token, request).then(
      ({ status, body }) => {
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(JSON.stringify(body));
      },
      // The request broke off, or it was too long.
      () => response.destroy(),
    );
  });
  server.listen(0, LOOPBACK);
  await once(server, 'listening');
  return {
    url: `http://${LOOPBACK}:${(server.address() as AddressInfo).port}`,
    async close() {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(app: ServedApp, token: string, request: IncomingMessage): Promise<Answer> {
  const { method = '', headers } = request;
  const path = decodeURI((request.url ?? '').split('?')[0] ?? '');
  const below = (root: string): Call | undefined =>
    path === root || path.startsWith(`${root}/`)
      ? { method, path: path.slice(root.length + 1), body }
      : undefined;
  const body = await readBody(request);
  const { authorization = '' } = headers;

  const ofManager = below('/api/v2');
  if (ofManager !== undefined) {
    const basic = Buffer.from(`${app.name}:${token}`).toString('base64');
    return isSame(authorization, `Basic ${basic}`) ? managerAnswer(app, ofManager) : UNAUTHORIZED;
  }
  if (!isSame(authorization, `Bearer ${token}`)) return UNAUTHORIZED;
  const ofApp = below(`/apps/${app.name}`);
  return ofApp === undefined ? notFound("Couldn't find that app.") : platformAnswer(app, ofApp);
}

function platformAnswer(app: ServedApp, { method, path }: Call): Answer {
  if (method === 'DELETE') return restartAnswer(app, path);
  const read = method === 'GET' ? READS[path] : undefined;
  return read === undefined
    ? notFound('The requested API endpoint was not found.')
    : { status: 200, body: read(app) };
}

const READS: Readonly<Record<string, (app: ServedApp) => unknown>> = {
  '': ({ name }) => {
    const stack = { name: 'heroku-24' };
    return { id: name, name, generation: 'cedar', space: null, build_stack: stack, stack };
  },
  dynos: (app) =>
    app.dynos().map(({ id, name, state }) => ({ id, name, type: name.split('.')[0], state })),
  'config-vars': (app) => app.configVars,
  [`features/${EXEC_FEATURE}`]: () => ({ name: EXEC_FEATURE, enabled: true }),
  'buildpack-installations': () => [],
};

/** `dynos/web.2`, or `dynos` for all of them. */
function restartAnswer(app: ServedApp, path: string): Answer {
  const [topic, name] = path.split('/');
  const meant = app.dynos().filter((dyno) => name === undefined || dyno.name === name);
  if (topic !== 'dynos' || meant.length === 0) return notFound("Couldn't find that dyno.");
  for (const dyno of meant) app.restartSoon(dyno.name);
  return { status: 202, body: {} };
}

function managerAnswer(app: ServedApp, { method, path, body }: Call): Answer {
  const running = app.dynos().filter((dyno) => dyno.ssh !== undefined);
  if (method === 'GET' && path === '') {
    return { status: 200, body: running.map(({ name }) => ({ dyno_name: name })) };
  }
  const ssh = running.find(({ name }) => name === path)?.ssh;
  if (method !== 'PUT' || ssh === undefined) return { status: 404, body: { error: 'not found' } };
  if (!ssh.authorize(clientKey(body))) return { status: 422, body: { error: 'client_key' } };
  return {
    status: 200,
    body: {
      tunnel_host: `${LOOPBACK}:${ssh.port}`,
      client_user: ssh.user,
      proxy_public_key: ssh.hostKey,
      dyno_ip: LOOPBACK,
    },
  };
}

function clientKey(body: string): string {
  try {
    const { client_key: key } = JSON.parse(body) as { readonly client_key?: unknown };
    return typeof key === 'string' ? key : '';
  } catch {
    return '';
  }
}

const UNAUTHORIZED: Answer = {
  status: 401,
  body: { id: 'unauthorized', message: 'Invalid credentials provided.' },
};

function notFound(message: string): Answer {
  return { status: 404, body: { id: 'not_found', message } };
}

function isSame(given: string, right: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new RangeError('the body is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
