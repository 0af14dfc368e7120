import { EpmuxError } from '../protocol/errors.ts';
import { checked, Reservation, Reservations } from './answers.ts';
import { type Credentials, withApiKey } from './credentials.ts';
import { callJson } from './http.ts';
import type { HttpCall, HttpPorts } from './http-call.ts';
import { EXEC_MANAGER_URL, type HerokuSettings, parseUrl } from './settings.ts';

/** Heroku Exec's own service: which dynos have their SSH server up, and whom they let in. */
export interface ExecManager {
  /**
   * Lets the holder of the key (in OpenSSH's form) into the dyno. Harmless when repeated. Throws
   * DYNO_NOT_RUNNING when the dyno has no SSH server, or what `callJson` throws.
   */
  register(dyno: string, publicKey: string, signal: AbortSignal): Promise<Reservation>;
  /** Names of the dynos whose SSH server is registered. */
  list(signal: AbortSignal): Promise<string[]>;
}

export interface ExecManagerOptions {
  readonly app: string;
  readonly settings: Pick<HerokuSettings, 'execUrl' | 'headers'>;
  /**
   * The app's config var HEROKU_EXEC_URL, from the add-on of old: another service, with credentials
   * of its own.
   */
  readonly addonUrl: string | undefined;
  readonly credentials: Credentials;
  readonly http: HttpPorts;
}

const LIST_LIMIT_MS = 10_000;
const REGISTER_LIMIT_MS = 15_000;

/** Throws CONFIG_INVALID when a HEROKU_EXEC_URL can't be read. */
export function execManager(options: ExecManagerOptions): ExecManager {
  const { app } = options;
  const ask = asker(options);
  return {
    async register(dyno, publicKey, signal) {
      const what = `a way into ${dyno} of ${app}`;
      const answer = await ask(
        {
          method: 'PUT',
          path: `/${encodeURIComponent(dyno)}`,
          json: { client_key: publicKey },
          limitMs: REGISTER_LIMIT_MS,
          what,
        },
        signal,
      ).catch((error: unknown) => {
        throw isMissing(error) ? notRegistered(app, dyno, error) : error;
      });
      return checked(Reservation, answer, what);
    },
    async list(signal) {
      const what = `the dynos of ${app} that Exec reaches`;
      const call = { method: 'GET', path: '', limitMs: LIST_LIMIT_MS, what } as const;
      const answer = await ask(call, signal);
      return checked(Reservations, answer, what).map((reservation) => reservation.dyno_name);
    },
  };
}

type Ask = (
  question: Pick<HttpCall, 'method' | 'json' | 'limitMs' | 'what'> & { readonly path: string },
  signal: AbortSignal,
) => Promise<unknown>;

function asker({ app, settings, addonUrl, credentials, http }: ExecManagerOptions): Ask {
  const text = addonUrl ?? settings.execUrl ?? EXEC_MANAGER_URL;
  const named = parseUrl('HEROKU_EXEC_URL', text, addonUrl === undefined);
  // Whoever may set the app's config vars names the add-on's host: what is meant for Heroku does
  // not go there.
  const common = addonUrl === undefined ? settings.headers : {};
  const base = `${named.protocol}//${named.host}${addonUrl === undefined ? '/api/v2' : '/api/v1'}`;
  const own = addonUrl === undefined ? undefined : credentialsOf(named);
  return ({ path, ...question }, signal) => {
    const call = (user: string, key: string, keySource: string): Promise<unknown> => {
      const basic = Buffer.from(`${user}:${key}`).toString('base64');
      const headers = { ...common, authorization: `Basic ${basic}` };
      const url = new URL(`${base}${path}`);
      const secrets = [key, basic];
      return callJson(
        { ...question, url, headers, repeatable: true, keySource, secrets },
        http,
        signal,
      );
    };
    return own === undefined
      ? withApiKey(credentials, signal, ({ key, source }) => call(app, key, source))
      : call(own.user, own.password, `the config var HEROKU_EXEC_URL of ${app}`).catch(
          (error: unknown) => {
            throw withAddonHint(error, app);
          },
        );
  };
}

/** Another key of the person's is no help: the add-on has credentials of its own. */
function withAddonHint(error: unknown, app: string): unknown {
  if (!EpmuxError.is(error, 'HEROKU_AUTH_REFUSED', 'HEROKU_FORBIDDEN')) return error;
  return error.with({
    hint: `remove the add-on of old with \`heroku addons:destroy heroku-exec -a ${app}\`, then run \`epmux up -a ${app} --yes\`: it enables Heroku Exec, and ALL dynos restart`,
  });
}

/** Throws CONFIG_INVALID, without the URL. */
function credentialsOf(url: URL): { user: string; password: string } {
  try {
    return { user: decodeURIComponent(url.username), password: decodeURIComponent(url.password) };
  } catch {
    throw new EpmuxError(
      'CONFIG_INVALID',
      'HEROKU_EXEC_URL has a user or password with a % that can’t be decoded',
      { hint: 'write a plain % as %25 in HEROKU_EXEC_URL, or unset it' },
    );
  }
}

function isMissing(error: unknown): boolean {
  return EpmuxError.is(error, 'APP_NOT_FOUND');
}

function notRegistered(app: string, dyno: string, cause: unknown): EpmuxError {
  return new EpmuxError(
    'DYNO_NOT_RUNNING',
    `Heroku Exec knows no ${dyno} of ${app}: it is not running, its SSH server is not up yet, or it runs since before Exec was switched on`,
    {
      cause,
      hint: `\`heroku ps -a ${app}\` shows its state; if it is up, \`heroku ps:restart ${dyno} -a ${app}\` gives it an SSH server`,
    },
  );
}
