import { EpmuxError, type ErrorCode } from '../protocol/errors.ts';
import { type Address, hostOf } from '../runtime/address.ts';

export interface SocksProxy extends Address {
  readonly user: string;
  readonly password: string;
  /** What it was written behind: `--via`. */
  readonly label: string;
}

const DEFAULT_PORT = 1080;
/** A length in the protocol is one byte. */
export const MAX_TEXT_BYTES = 255;

/**
 * `socks5://[user:pass@]host[:port]`, user and password percent-encoded. USAGE (or `code`) on
 * anything else; the text is never repeated.
 */
export function parseSocksProxy(
  text: string,
  label = '--via',
  code: ErrorCode = 'USAGE',
): SocksProxy {
  const wrong = (what: string): EpmuxError =>
    new EpmuxError(code, `${label}${what}`, {
      hint: `for example ${label.startsWith('--') ? `${label} ` : ''}socks5://127.0.0.1:1080`,
    });
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const bare = url?.pathname === '' || url?.pathname === '/';
  if (url === undefined || !/^socks5h?:$/.test(url.protocol) || url.hostname === '' || !bare) {
    throw wrong(' takes socks5://[user:pass@]host:port');
  }
  const decoded = (part: string): string => {
    try {
      return decodeURIComponent(part);
    } catch {
      throw wrong(': a % in user or password has to be written as %25');
    }
  };
  const [user, password] = [decoded(url.username), decoded(url.password)];
  if ([user, password].some((part) => Buffer.byteLength(part) > MAX_TEXT_BYTES)) {
    throw wrong(`: user and password have at most ${MAX_TEXT_BYTES} bytes each`);
  }
  return {
    host: hostOf(url),
    port: url.port === '' ? DEFAULT_PORT : Number(url.port),
    user,
    password,
    label,
  };
}
