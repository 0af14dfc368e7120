import type { StandInApp } from './app.ts';
import type { StandInDyno } from './dyno.ts';
import { listPart } from './list-part.ts';
import type { Answer, Call } from './manager.ts';
import type { HerokuStandIn } from './stand-in.ts';

type Handler = (app: StandInApp, rest: string, call: Call) => Answer | undefined;

const FEATURE = 'runtime-heroku-exec';

/** The part of the platform API that Heroku Exec needs. */
export function platformAnswer(standIn: HerokuStandIn, call: Call): Answer {
  if (!isAuthorized(standIn.token, call)) {
    return problem(401, 'unauthorized', 'Invalid credentials provided.');
  }
  if (call.path === '/account') {
    return { status: 200, body: { id: 'account', email: 'dev@example.com' } };
  }
  const [, , name = '', topic = '', ...rest] = call.path.split('/');
  const app = call.path.startsWith('/apps/') ? standIn.apps.get(name) : undefined;
  if (app === undefined) return problem(404, 'not_found', "Couldn't find that app.");
  const handler = HANDLERS[`${call.method} ${topic}`];
  return (
    handler?.(app, rest.join('/'), call) ??
    problem(404, 'not_found', 'The requested API endpoint was not found.')
  );
}

const HANDLERS: Readonly<Record<string, Handler>> = {
  'GET ': (app) => ok(describeApp(app)),
  'GET dynos': (app, name, { headers }) => {
    if (name === '') return listPart([...app.dynos.values()].map(describeDyno), headers.range);
    const dyno = app.dynos.get(name);
    return dyno === undefined ? undefined : ok(describeDyno(dyno));
  },
  'DELETE dynos': (app, name) => {
    app.restartSoon(name === '' ? [...app.dynos.keys()] : [name]);
    return { status: 202, body: {} };
  },
  'GET config-vars': (app) => ok(app.configVars),
  'GET features': (app, feature) =>
    feature === FEATURE ? ok({ name: FEATURE, enabled: app.execEnabled }) : undefined,
  'PATCH features': (app, _feature, call) => {
    app.execEnabled = (JSON.parse(call.body) as { enabled: boolean }).enabled;
    return ok({ name: FEATURE, enabled: app.execEnabled });
  },
  'GET buildpack-installations': (app) =>
    ok((app.options.buildpacks ?? []).map((url, ordinal) => ({ ordinal, buildpack: { url } }))),
};

function ok(body: unknown): Answer {
  return { status: 200, body };
}

function problem(status: number, id: string, message: string): Answer {
  return { status, body: { id, message, resource: 'app' } };
}

function isAuthorized(token: string, call: Call): boolean {
  const header = call.headers.authorization ?? '';
  if (header === `Bearer ${token}`) return true;
  const basic = Buffer.from(header.replace(/^Basic /, ''), 'base64').toString('utf8');
  return basic.endsWith(`:${token}`);
}

function describeApp(app: StandInApp): unknown {
  const { generation = 'cedar', space = null, stack = 'heroku-24' } = app.options;
  return {
    id: app.name,
    name: app.name,
    generation,
    space: space === null ? null : { id: 'space', name: 'space', ...space },
    build_stack: { id: 'stack', name: stack },
    stack: { id: 'stack', name: stack },
  };
}

function describeDyno(dyno: StandInDyno) {
  const { id, name, type, state } = dyno;
  return { id, name, type, state, command: 'bin/app start', size: 'basic' };
}
