import type * as v from 'valibot';
import { App, Buildpacks, ConfigVars, checked, type Dyno, Dynos, Feature } from './answers.ts';
import { type Credentials, withApiKey } from './credentials.ts';
import { askJson, type JsonAnswer } from './http.ts';
import type { HttpCall, HttpPorts } from './http-call.ts';
import type { HerokuSettings } from './settings.ts';
import { wholeList } from './whole-list.ts';

export interface AppInfo {
  readonly name: string;
  /** `cedar`, `fir`. */
  readonly generation: string;
  readonly space: { readonly name: string; readonly shield: boolean } | undefined;
  /** `heroku-24`, `container`; undefined when nothing was ever deployed. */
  readonly stack: string | undefined;
}

/**
 * The platform API as far as one app's Exec needs it. Each call may throw what `callJson` throws.
 */
export interface Platform {
  readonly app: string;
  info(signal: AbortSignal): Promise<AppInfo>;
  dynos(signal: AbortSignal): Promise<Dyno[]>;
  /** Secrets of the app. */
  configVars(signal: AbortSignal): Promise<Readonly<Record<string, string>>>;
  execEnabled(signal: AbortSignal): Promise<boolean>;
  enableExec(signal: AbortSignal): Promise<void>;
  /** All of them, at once. */
  restartDynos(signal: AbortSignal): Promise<void>;
  /** URLs of the app's buildpacks. */
  buildpacks(signal: AbortSignal): Promise<string[]>;
}

export interface PlatformOptions {
  readonly app: string;
  readonly settings: Pick<HerokuSettings, 'apiUrl' | 'headers'>;
  readonly credentials: Credentials;
  readonly http: HttpPorts;
}

const READ_LIMIT_MS = 10_000;
/** Changes of production are never tried twice, and get more time. */
const CHANGE_LIMIT_MS = 20_000;
const ACCEPT = 'application/vnd.heroku+json; version=3';
/** Shows the app's generation, which plain version 3 leaves out. */
const ACCEPT_SDK = 'application/vnd.heroku+json; version=3.sdk';
const EXEC_FEATURE = 'features/runtime-heroku-exec';

export function platformApi(options: PlatformOptions): Platform {
  const { app } = options;
  const get = async <T>(
    path: string,
    schema: v.GenericSchema<unknown, T>,
    what: string,
    signal: AbortSignal,
    headers: Question['headers'] = {},
  ): Promise<T> => {
    const { json } = await ask(options, { method: 'GET', path, what, headers }, signal);
    return checked(schema, json, what);
  };
  return {
    app,
    async info(signal) {
      const found = await get('', App, `the app ${app}`, signal, { accept: ACCEPT_SDK });
      const { generation = 'cedar', space, build_stack: stack } = found;
      return {
        name: found.name,
        generation: typeof generation === 'string' ? generation : generation.name,
        space: space ?? undefined,
        stack: stack?.name,
      };
    },
    dynos(signal) {
      const what = `the dynos of ${app}`;
      return wholeList(what, async (range) => {
        const question = { method: 'GET', path: 'dynos', what, headers: { range } } as const;
        const { json, nextRange } = await ask(options, question, signal);
        return { items: checked(Dynos, json, what), nextRange };
      });
    },
    configVars: (signal) => get('config-vars', ConfigVars, `the config vars of ${app}`, signal),
    execEnabled: async (signal) =>
      (await get(EXEC_FEATURE, Feature, `the Exec feature of ${app}`, signal)).enabled,
    async enableExec(signal) {
      const what = `the Exec feature of ${app}`;
      const json = { enabled: true };
      await ask(options, { method: 'PATCH', path: EXEC_FEATURE, what, json }, signal);
    },
    async restartDynos(signal) {
      const what = `a restart of the dynos of ${app}`;
      await ask(options, { method: 'DELETE', path: 'dynos', what }, signal);
    },
    async buildpacks(signal) {
      const what = `the buildpacks of ${app}`;
      const found = await get('buildpack-installations', Buildpacks, what, signal);
      return found.flatMap(({ buildpack: { url } }) => (url ? [url] : []));
    },
  };
}

interface Question extends Pick<HttpCall, 'method' | 'what' | 'json'> {
  /** Below the app. */
  readonly path: string;
  /** Beside those of every call, or instead of them. */
  readonly headers?: Readonly<Record<string, string>>;
}

function ask(
  options: PlatformOptions,
  question: Question,
  signal: AbortSignal,
): Promise<JsonAnswer> {
  const { app, settings, credentials, http } = options;
  const { method, path, what, json, headers } = question;
  const isRead = method === 'GET';
  const below = path === '' ? '' : `/${path}`;
  return withApiKey(credentials, signal, ({ key, source }) =>
    askJson(
      {
        method,
        url: new URL(`${settings.apiUrl}/apps/${encodeURIComponent(app)}${below}`),
        headers: {
          ...settings.headers,
          accept: ACCEPT,
          ...headers,
          authorization: `Bearer ${key}`,
        },
        json,
        limitMs: isRead ? READ_LIMIT_MS : CHANGE_LIMIT_MS,
        repeatable: isRead,
        what,
        keySource: source,
        secrets: [key],
      },
      http,
      signal,
    ),
  );
}
