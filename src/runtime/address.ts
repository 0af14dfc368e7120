/** Where to connect to; an IPv6 address stands without brackets. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What everything of one host shares. */
export const LOOPBACK = '127.0.0.1';
/** Where the agent listens, on its host's loopback, unless told. */
export const AGENT_PORT = 9_001;
/** An epmd, unless told. */
export const EPMD_PORT = 4_369;

/** `host:port`, an IPv6 address in brackets. */
export function hostPort(address: Address): string {
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}

/** The host of a URL, an IPv6 address without its brackets. */
export function hostOf({ hostname }: Pick<URL, 'hostname'>): string {
  return hostname.replace(/^\[|\]$/g, '');
}

/**
 * `host` or `host:port` in its parts, an IPv6 host in brackets. Undefined: the text is none of
 * these.
 */
export function splitHostPort(
  text: string,
): { readonly host: string; readonly port: string | undefined } | undefined {
  const match = /^(?:\[([\w:.%]+)\]|([^\s[\]:/@]+))(?::(.*))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  return host === undefined ? undefined : { host, port: match?.[3] };
}

/** A port in digits. Undefined: it is none, or below `least`. */
export function portOf(text: string, least: 0 | 1 = 1): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  return port >= least && port <= 65_535 ? port : undefined;
}
