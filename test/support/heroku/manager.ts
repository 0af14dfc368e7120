import type { IncomingHttpHeaders } from 'node:http';
import type { HerokuStandIn } from './stand-in.ts';

export interface Call {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * The exec manager: v2 with the app and its owner's token, v1 (the old add-on) with the credentials
 * of the add-on's URL.
 */
export async function managerAnswer(standIn: HerokuStandIn, call: Call): Promise<Answer> {
  const [user, password] = credentials(call.headers.authorization);
  const app = standIn.apps.get(user ?? '');
  const version = call.path.startsWith('/api/v1') ? 'v1' : 'v2';
  const addonPassword = app?.configVars['HEROKU_EXEC_URL']?.match(/:([^:@/]+)@/)?.[1];
  const expected = version === 'v1' ? addonPassword : standIn.token;
  if (app === undefined || expected === undefined || password !== expected) {
    return { status: 401, body: { error: 'unauthorized' } };
  }
  const name = call.path.slice(`/api/${version}`.length).replace(/^\//, '');
  if (call.method === 'GET' && name === '') {
    const running = [...app.dynos.values()].filter((dyno) => dyno.state === 'up');
    const rows = app.execEnabled ? running.map((dyno) => ({ dyno_name: dyno.name })) : [];
    return { status: 200, body: rows };
  }
  const dyno = app.dynos.get(name);
  if (call.method !== 'PUT' || dyno?.state !== 'up' || !app.execEnabled) {
    return { status: 404, body: { error: 'not found' } };
  }
  const { client_key: clientKey } = JSON.parse(call.body) as { client_key?: string };
  if (!/^(ssh|ecdsa)-\S+ \S+/.test(clientKey ?? '')) {
    return { status: 422, body: { error: 'client_key' } };
  }
  dyno.sshd.authorize(clientKey ?? '');
  const [, type, key] = dyno.sshd.knownHostsLine.split(' ');
  return {
    status: 200,
    body: {
      tunnel_host: await standIn.tunnelHost(dyno.path.port),
      client_user: dyno.sshd.user,
      proxy_public_key: `${type} ${key}`,
      dyno_ip: '127.0.0.1',
    },
  };
}

function credentials(header: string | undefined): readonly string[] {
  const text = Buffer.from(header?.replace(/^Basic /, '') ?? '', 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return [text.slice(0, colon), text.slice(colon + 1)];
}
