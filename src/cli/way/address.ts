import { userInfo } from 'node:os';
import { LONGEST } from '../../daemon/control/api.ts';
import { EpmuxError } from '../../protocol/errors.ts';
import { type Address, portOf, splitHostPort } from '../../runtime/address.ts';

export interface SshAddress extends Address {
  readonly user: string;
}

const SSH_PORT = 22;

/** A TCP port, 1 to 65535. `label` is what the person wrote it behind: `--agent-port`. */
export function parsePort(label: string, text: string): number {
  const port = portOf(text);
  if (port !== undefined) return port;
  throw new EpmuxError('USAGE', `${label} takes a port from 1 to 65535, not ${quoted(text)}`);
}

/** `host:port`, an IPv6 host in brackets. */
export function parseHostPort(label: string, text: string): Address {
  const { host = '', port } = splitHostPort(text) ?? {};
  if (host === '' || port === undefined) {
    throw new EpmuxError('USAGE', `${label} takes host:port, not ${quoted(text)}`);
  }
  assertShort(label, 'host', host, LONGEST.host);
  return { host, port: parsePort(label, port) };
}

/** `[user@]host[:port]`; the user is the one who is logged in here unless named. */
export function parseSshAddress(label: string, text: string): SshAddress {
  const at = text.lastIndexOf('@');
  const user = at < 0 ? userInfo().username : text.slice(0, at);
  const { host = '', port } = splitHostPort(text.slice(at + 1)) ?? {};
  if (host === '' || user === '' || host.startsWith('-')) {
    throw new EpmuxError('USAGE', `${label} takes [user@]host[:port], not ${quoted(text)}`);
  }
  assertShort(label, 'host', host, LONGEST.host);
  assertShort(label, 'user', user, LONGEST.user);
  return { user, host, port: port === undefined ? SSH_PORT : parsePort(label, port) };
}

/** Throws USAGE where the daemon takes no text so long. */
export function assertShort(label: string, what: string, text: string, longest: number): void {
  if (text.length <= longest) return;
  throw new EpmuxError('USAGE', `${label} takes a ${what} of at most ${longest} characters`);
}

export function quoted(text: string): string {
  return text === '' ? 'nothing' : `"${text}"`;
}
