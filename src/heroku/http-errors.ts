import {
  EpmuxError,
  type EpmuxErrorOptions,
  type ErrorCode,
  type ErrorDetails,
} from '../protocol/errors.ts';
import type { HttpAnswer, HttpCall } from './http-call.ts';
import { retryAfterMs } from './retry.ts';

const MAX_WORDS = 300;
/** As long as it is set nobody looks into ~/.netrc. */
const OTHER_KEY_HINT =
  'set another HEROKU_API_KEY, or unset it and run `heroku login`; then `epmux up` again';

/** What an answer's status says, with Heroku's own words; undefined when it is a success. */
export function answerError(
  call: HttpCall,
  answer: HttpAnswer,
  wallNow: number,
): EpmuxError | undefined {
  const { status } = answer;
  if (status >= 200 && status < 300) return undefined;
  const { host } = call.url;
  const said = words(call, answer.text);
  const error = (code: ErrorCode, what: string, options?: EpmuxErrorOptions): EpmuxError =>
    new EpmuxError(code, `${what}${said}`, options);
  switch (status) {
    case 401:
      return error(
        'HEROKU_AUTH_REFUSED',
        `${host} refuses the key of ${call.keySource}`,
        call.keySource === 'HEROKU_API_KEY' ? { hint: OTHER_KEY_HINT } : {},
      );
    case 403:
      return error(
        'HEROKU_FORBIDDEN',
        `${host} does not let the key of ${call.keySource} at ${call.what}`,
      );
    case 404:
      return error('APP_NOT_FOUND', `${host} does not find ${call.what}`);
    case 429:
      return error('HEROKU_RATE_LIMITED', `${host} wants fewer questions${later(answer)}`, {
        details: retryDetails(answer, wallNow),
      });
    default:
      return status >= 500
        ? error('HEROKU_UNAVAILABLE', `${host} answered ${status} to the question for ${call.what}`)
        : error(
            'HEROKU_ANSWER_INVALID',
            `${host} answered ${status} to the question for ${call.what}`,
            said === '' ? {} : { hint: refusalHint(status) },
          );
  }
}

/** For what Heroku has said in its own words. */
function refusalHint(status: number): string {
  if (status === 402)
    return 'https://dashboard.heroku.com/account/billing shows what is to be paid';
  return 'Heroku refuses it for the reason given: what it asks for has to be done there';
}

/** `through`: ` through the proxy …`, or nothing. */
export function tooLate(call: HttpCall, through: string): EpmuxError {
  return new EpmuxError(
    'HEROKU_UNAVAILABLE',
    `${call.url.host} did not answer${through} within ${call.limitMs / 1_000} s to the question for ${call.what}`,
  );
}

const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'no host is called so',
  EAI_AGAIN: 'its name can’t be looked up now',
  ECONNREFUSED: 'it refused the connection',
  ECONNRESET: 'it broke the connection',
  EPIPE: 'it broke the connection',
  UND_ERR_SOCKET: 'it broke the connection',
  ETIMEDOUT: 'it did not answer',
  UND_ERR_CONNECT_TIMEOUT: 'it did not answer',
  EHOSTUNREACH: 'there is no route to it',
  ENETUNREACH: 'this machine has no network that leads there',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host',
};
const CERTIFICATE_HINT =
  'a proxy may be in between: give Node its certificate by NODE_EXTRA_CA_CERTS, and check the clock';
const PROXY_HINT =
  'check that proxy; hosts in NO_PROXY are asked without it, unless it is that of --via';
const UNTRUSTED = /SELF_SIGNED|UNABLE_TO|CERT_UNTRUSTED|CERT_SIGNATURE/;
const TLS = /CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO/;

/**
 * What an HTTP proxy answers instead of leading on (its library says it in words alone), or its
 * like for a SOCKS proxy.
 */
export function proxyRefusal(error: unknown): number | undefined {
  const root = rootOf(error);
  if (root instanceof EpmuxError)
    return root.details?.['refused'] === 'credentials' ? 407 : undefined;
  const status = /^Proxy response \((\d+)\)/.exec(root.message)?.[1];
  return status === undefined ? undefined : Number(status);
}

/** Why there was no answer: `fetch` hides it behind `fetch failed`. */
export function networkError(call: HttpCall, cause: unknown, through: string): EpmuxError {
  const failed = (why: string, hint: EpmuxErrorOptions): EpmuxError => {
    const what = `${call.url.host} could not be asked${through}: ${why}`;
    return new EpmuxError('HEROKU_UNAVAILABLE', what, { cause, ...hint });
  };
  const root = rootOf(cause);
  if (root instanceof EpmuxError) return failed(root.message, { hint: root.hint });
  const refused = proxyRefusal(root);
  if (refused !== undefined) {
    const wrong = refused === 407 ? ', for it wants another user or password' : '';
    return failed(`it answered ${refused}${wrong}`, { hint: PROXY_HINT });
  }
  const code = root.code ?? '';
  const why =
    REASONS[code] ??
    (UNTRUSTED.test(code)
      ? 'its certificate is signed by nobody whom this machine trusts'
      : `${root.message}${code === '' ? '' : ` (${code})`}`);
  if (TLS.test(code)) return failed(why, { hint: CERTIFICATE_HINT });
  return failed(why, through === '' ? {} : { hint: PROXY_HINT });
}

function rootOf(error: unknown): NodeJS.ErrnoException {
  let root = error as NodeJS.ErrnoException;
  for (let depth = 0; depth < 5 && !(root instanceof EpmuxError); depth += 1) {
    const below: unknown =
      root instanceof AggregateError && root.errors.length > 0 ? root.errors[0] : root.cause;
    if (!(below instanceof Error)) break;
    root = below;
  }
  return root;
}

function retryDetails({ retryAfter }: HttpAnswer, wallNow: number): ErrorDetails {
  const ms = retryAfterMs(retryAfter, wallNow);
  return ms === undefined ? {} : { retryAfterMs: String(ms) };
}

function later(answer: HttpAnswer): string {
  return answer.retryAfter === null ? '' : ` (Retry-After: ${answer.retryAfter.slice(0, 40)})`;
}

/**
 * Heroku's `id` and `message` (or the manager's `error`), on one line and without secrets:
 * ` (unauthorized: Invalid credentials provided.)`.
 */
function words(call: HttpCall, text: string): string {
  const names = ['id', 'error', 'message'];
  const parts = names.map((name) => field(text, name)).filter((part) => part !== undefined);
  if (parts.length === 0) return '';
  let said = parts.join(': ');
  for (const secret of call.secrets) if (secret !== '') said = said.replaceAll(secret, '…');
  const line = said.replaceAll(/[\s\p{Cc}\p{Cf}]+/gu, ' ').trim();
  return ` (${line.length > MAX_WORDS ? `${line.slice(0, MAX_WORDS)}…` : line})`;
}

function field(text: string, name: string): string | undefined {
  try {
    const value: unknown = (JSON.parse(text) as Record<string, unknown> | null)?.[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  } catch {
    return undefined;
  }
}
