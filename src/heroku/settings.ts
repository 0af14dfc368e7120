import { EpmuxError } from '../protocol/errors.ts';

/**
 * Where Heroku is, as the caller's environment has it. Plain data, so that a daemon can be given
 * it; `headers` may hold secrets.
 */
export interface HerokuSettings {
  /** Without a trailing slash. */
  readonly apiUrl: string;
  /** HEROKU_EXEC_URL: another exec manager. */
  readonly execUrl: string | undefined;
  /** HEROKU_HEADERS: sent with every call, but for those to a host that an app names. */
  readonly headers: Readonly<Record<string, string>>;
  /** The hosts of git remotes: `git@SSH:app.git`, `https://HTTP/app.git`. */
  readonly gitHosts: { readonly ssh: string; readonly https: string };
}

const VARIABLES = [
  'HEROKU_API_URL',
  'HEROKU_HOST',
  'HEROKU_GIT_HOST',
  'HEROKU_EXEC_URL',
  'HEROKU_HEADERS',
] as const;

/** Those that are set, for `herokuSettings` elsewhere. The headers may hold secrets. */
export type HerokuVariables = Readonly<Partial<Record<(typeof VARIABLES)[number], string>>>;

export function herokuVariables(env: NodeJS.ProcessEnv): HerokuVariables {
  return Object.fromEntries(VARIABLES.flatMap((name) => (env[name] ? [[name, env[name]]] : [])));
}

/** Unless HEROKU_EXEC_URL names another. */
export const EXEC_MANAGER_URL = 'https://exec-manager.heroku.com';

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/**
 * Reads HEROKU_API_URL, HEROKU_HOST, HEROKU_GIT_HOST, HEROKU_EXEC_URL and HEROKU_HEADERS. Throws
 * CONFIG_INVALID.
 */
export function herokuSettings(env: NodeJS.ProcessEnv | HerokuVariables): HerokuSettings {
  const host = env['HEROKU_HOST'] || 'heroku.com';
  const isUrl = /^https?:\/\//.test(host);
  const apiUrl = parseUrl(
    env['HEROKU_API_URL'] ? 'HEROKU_API_URL' : 'HEROKU_HOST',
    env['HEROKU_API_URL'] || (isUrl ? host : `https://api.${host}`),
  );
  const execUrl = env['HEROKU_EXEC_URL'];
  if (execUrl) parseUrl('HEROKU_EXEC_URL', execUrl);
  return {
    apiUrl: apiUrl.href.replace(/\/+$/, ''),
    execUrl: execUrl || undefined,
    headers: parseHeaders(env['HEROKU_HEADERS']),
    gitHosts: gitHosts(env['HEROKU_GIT_HOST'], host, isUrl),
  };
}

/**
 * The key travels in each call: in clear text it may reach this machine alone, and only where the
 * person's own environment says so (`isOwn`). Throws CONFIG_INVALID, without the URL: it may hold a
 * password.
 */
export function parseUrl(name: string, text: string, isOwn = true): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isLocal = url?.protocol === 'http:' && LOOPBACK.test(url.hostname);
  const isSafe = url?.protocol === 'https:' || (isOwn && isLocal);
  if (url !== undefined && isSafe) return url;
  throw new EpmuxError('CONFIG_INVALID', `${name} is no https:// URL`, {
    hint: `correct or unset ${name}`,
  });
}

function gitHosts(gitHost: string | undefined, host: string, isUrl: boolean) {
  if (gitHost) return { ssh: gitHost, https: gitHost };
  if (isUrl) {
    // No key goes there, so that it can be read is enough.
    const { host: named } = URL.canParse(host) ? new URL(host) : parseUrl('HEROKU_HOST', host);
    return { ssh: named, https: named };
  }
  return { ssh: host, https: `git.${host}` };
}

function parseHeaders(text: string | undefined): Record<string, string> {
  if (!text) return {};
  let headers: unknown;
  try {
    headers = JSON.parse(text);
    if (typeof headers !== 'object' || headers === null) throw new TypeError('no object');
    return Object.fromEntries(new Headers(headers as Record<string, string>));
  } catch {
    // The cause would quote the text, which may hold a secret.
    throw new EpmuxError('CONFIG_INVALID', 'HEROKU_HEADERS is no JSON object of HTTP headers', {
      hint: 'correct or unset HEROKU_HEADERS',
    });
  }
}
