import { EpmuxError } from '../protocol/errors.ts';
import { type Address, portOf, splitHostPort } from '../runtime/address.ts';
import { LOG_LEVELS, type LogLevel } from '../runtime/logger.ts';

/** Port 0: any free one, which the log then names. */
export type ListenAddress = Address;

/** Where to listen, or a socket that listens already, by its descriptor. */
export type ListenWay = ListenAddress | { readonly fd: number };

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;
const LONGEST_MS = 24 * UNIT_MS.h;
/** A name that fits into a target text and reads well in a log. */
const ALLOW_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

export function parsePort(what: string, text: string, lowest: 0 | 1): number {
  const port = portOf(text, lowest);
  if (port === undefined) throw usage(`${what}: ${text} is not a port (${lowest} to 65535)`);
  return port;
}

/** Not one of stdin, stdout and stderr. */
export function parseDescriptor(what: string, text: string): number {
  const fd = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(fd > 2)) throw usage(`${what}: ${text} is not a descriptor (3 or more)`);
  return fd;
}

/** `HOST:PORT`, with brackets around an IPv6 address. */
export function parseAddress(what: string, text: string): ListenAddress {
  const { host, port } = splitHostPort(text) ?? {};
  if (host === undefined || port === undefined) {
    throw usage(`${what}: ${text} is not HOST:PORT, such as 127.0.0.1:9001 or [::1]:9001`);
  }
  return { host, port: parsePort(what, port, 0) };
}

/** In milliseconds: at least 1 ms, at most a day. A bare number counts seconds. */
export function parseDuration(what: string, text: string): number {
  const match = /^(\d{1,9})(ms|s|m|h)?$/.exec(text);
  if (match === null) throw usage(`${what}: ${text} is not a time such as 30s, 15m or 500ms`);
  const unit = (match[2] ?? 's') as keyof typeof UNIT_MS;
  const ms = Number(match[1]) * UNIT_MS[unit];
  if (ms < 1 || ms > LONGEST_MS) throw usage(`${what}: ${text} is outside of 1ms to 24h`);
  return ms;
}

export function parseAllow(text: string): [name: string, port: number] {
  const equals = text.indexOf('=');
  const name = text.slice(0, Math.max(0, equals));
  if (!ALLOW_NAME.test(name)) {
    throw usage(`--allow: ${text} is not NAME=PORT (NAME of letters, digits, _ . -)`);
  }
  return [name, parsePort('--allow', text.slice(equals + 1), 1)];
}

export function parseLevel(text: string): LogLevel {
  const level = LOG_LEVELS.find((known) => known === text);
  if (level === undefined) throw usage(`--log-level: ${text} is none of ${LOG_LEVELS.join(', ')}`);
  return level;
}

function usage(message: string): EpmuxError {
  return new EpmuxError('USAGE', message, { hint: 'see `epmux agent --help`' });
}
