import { EpmuxError } from '../protocol/errors.ts';
import { parseSocksProxy } from '../transport/socks-url.ts';

/**
 * What says that calls go through a proxy, the first that is set: the order of Heroku's own CLI,
 * then what curl knows besides.
 */
const VARIABLES = [
  'HTTPS_PROXY',
  'https_proxy',
  'HTTP_PROXY',
  'http_proxy',
  'ALL_PROXY',
  'all_proxy',
] as const;
const EXCEPTIONS = ['NO_PROXY', 'no_proxy'] as const;

/** Of an environment, as it was written. May hold a password: never logged. */
export type ProxyVariables = {
  readonly [name in (typeof VARIABLES | typeof EXCEPTIONS)[number]]?: string;
};

/** The proxy that calls to Heroku go through. `url` may hold a password: never logged. */
export interface ProxySettings {
  readonly url: URL;
  /** `--via` or the variable that names it. */
  readonly source: string;
  /** Hosts that are asked directly, as in NO_PROXY. */
  readonly noProxy: string;
}

export function proxyVariables(env: NodeJS.ProcessEnv): ProxyVariables {
  const names = [...VARIABLES, ...EXCEPTIONS];
  return Object.fromEntries(names.flatMap((name) => (env[name] ? [[name, env[name]]] : [])));
}

/**
 * The one of `--via`, for every host; else the one that the environment names. Throws USAGE or
 * CONFIG_INVALID, without the URL.
 */
export function proxySettings(
  env: NodeJS.ProcessEnv | ProxyVariables,
  via: string | undefined,
): ProxySettings | undefined {
  if (via !== undefined) {
    parseSocksProxy(via);
    return { url: new URL(via), source: '--via', noProxy: '' };
  }
  const source = VARIABLES.find((name) => env[name]);
  if (source === undefined) return undefined;
  const noProxy = EXCEPTIONS.map((name) => env[name]).find(Boolean) ?? '';
  return { url: parseProxyUrl(source, env[source] ?? ''), source, noProxy };
}

/** Without user and password: `the proxy proxy.example.com:8080 (HTTPS_PROXY)`. */
export function proxyLabel({ url, source }: ProxySettings): string {
  return `the ${isSocks(url) ? 'SOCKS ' : ''}proxy ${url.host} (${source})`;
}

export function isSocks(url: URL): boolean {
  return /^socks5h?:$/.test(url.protocol);
}

/**
 * Whether calls to this URL go through it. One in clear text is for this machine alone and never
 * does.
 */
export function isProxied(url: URL, { noProxy }: ProxySettings): boolean {
  if (url.protocol !== 'https:') return false;
  const host = url.hostname.toLowerCase();
  const port = url.port === '' ? '443' : url.port;
  return !noProxy
    .toLowerCase()
    .split(/[\s,]+/)
    .some((entry) => excepts(entry, host, port));
}

/** `*`, `host`, `.host` and `*.host`, each for the host and all below it, perhaps with `:port`. */
function excepts(entry: string, host: string, port: string): boolean {
  if (entry === '' || entry === '*') return entry === '*';
  // An IPv6 address has a port only where it stands in brackets.
  const [, named = entry, wanted = port] = /^(\[.*\]|[^:]*)(?::(\d+))?$/.exec(entry) ?? [];
  const name = named.replace(/^\*?\./, '');
  return wanted === port && (host === name || host === `[${name}]` || host.endsWith(`.${name}`));
}

/** Without a scheme it is an HTTP proxy, as for curl. */
function parseProxyUrl(name: string, text: string): URL {
  const full = text.includes('://') ? text : `http://${text}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  if (url !== undefined && isSocks(url)) parseSocksProxy(full, name, 'CONFIG_INVALID');
  else if (url === undefined || !/^https?:$/.test(url.protocol) || !isDecodable(url)) {
    throw new EpmuxError(
      'CONFIG_INVALID',
      `${name} takes http://, https:// or socks5://[user:pass@]host:port`,
      { hint: `correct or unset ${name}` },
    );
  }
  return url;
}

function isDecodable({ username, password }: URL): boolean {
  try {
    decodeURIComponent(username + password);
    return true;
  } catch {
    return false;
  }
}
