import { EpmuxError } from '../protocol/errors.ts';
import { abortError } from '../runtime/attempt.ts';
import { withEither } from '../runtime/either-signal.ts';
import { sleep } from '../runtime/wait.ts';
import { directFetch } from './direct-fetch.ts';
import type { Failure, HttpAnswer, HttpCall, HttpPorts } from './http-call.ts';
import { answerError, networkError, proxyRefusal, tooLate } from './http-errors.ts';
import { type FetchAnswer, type ProxiedFetch, proxiedFetch } from './proxied-fetch.ts';
import { isProxied, proxyLabel } from './proxy.ts';
import { PATIENCE_MS, retryWait } from './retry.ts';
import type { Trust } from './trust.ts';

const PARTIAL_CONTENT = 206;
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

export interface JsonAnswer {
  readonly json: unknown;
  /** A list was cut: the Range of what follows. Null: that was all. */
  readonly nextRange: string | null;
}

/** Throws what `askJson` throws. */
export async function callJson(
  call: HttpCall,
  ports: HttpPorts,
  signal: AbortSignal,
): Promise<unknown> {
  return (await askJson(call, ports, signal)).json;
}

/**
 * Throws HEROKU_AUTH_REFUSED, HEROKU_FORBIDDEN, APP_NOT_FOUND (404), HEROKU_RATE_LIMITED,
 * HEROKU_UNAVAILABLE, HEROKU_ANSWER_INVALID, or the abort's error.
 */
export async function askJson(
  call: HttpCall,
  ports: HttpPorts,
  signal: AbortSignal,
): Promise<JsonAnswer> {
  let leftMs = ports.patienceMs ?? PATIENCE_MS;
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await tryOnce(call, ports, signal);
    if (!('error' in outcome)) return outcome;
    const wait = call.repeatable ? retryWait(outcome, attempt, { ...ports, leftMs }) : undefined;
    if (wait === undefined) throw outcome.error;
    leftMs -= wait;
    ports.logger.debug('Heroku is asked again', { what: call.what, waitMs: Math.round(wait) });
    await sleep(ports.clock, wait, signal, `waiting for another try at ${call.what}`);
  }
}

async function tryOnce(
  call: HttpCall,
  { clock, logger, proxy, trust }: HttpPorts,
  signal: AbortSignal,
): Promise<JsonAnswer | Failure> {
  const by = proxy !== undefined && isProxied(call.url, proxy) ? proxy : undefined;
  const through = by === undefined ? '' : ` through ${proxyLabel(by)}`;
  const began = clock.now();
  const limit = new AbortController();
  const cancel = clock.wakeAt(began + call.limitMs, () => limit.abort());
  try {
    const answer = await withEither(signal, limit.signal, (untilLate) =>
      exchange(call, { clock, proxy: by, trust }, untilLate),
    );
    const fields = { method: call.method, host: call.url.host, path: call.url.pathname };
    const tookMs = Math.round(clock.now() - began);
    logger.debug('asked Heroku', { ...fields, status: answer.status, tookMs });
    const error = answerError(call, answer, clock.wallNow());
    if (error !== undefined) return { ...answer, error, isLate: false };
    return { json: parse(call, answer.text), nextRange: answer.nextRange };
  } catch (cause) {
    if (signal.aborted) throw abortError(`asking for ${call.what}`, signal);
    if (cause instanceof EpmuxError) throw cause;
    const isLate = limit.signal.aborted;
    const error = isLate ? tooLate(call, through) : networkError(call, cause, through);
    return { error, status: proxyRefusal(cause), retryAfter: null, isLate };
  } finally {
    cancel();
  }
}

async function exchange(
  call: HttpCall,
  { clock, proxy, trust }: Pick<HttpPorts, 'clock' | 'proxy' | 'trust'>,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const body = call.json === undefined ? null : JSON.stringify(call.json);
  const type: Record<string, string> = body === null ? {} : { 'content-type': 'application/json' };
  const way: ProxiedFetch =
    proxy === undefined ? straight(trust) : await proxiedFetch(proxy, clock, signal, trust);
  try {
    const response = await way.fetch(call.url, {
      method: call.method,
      headers: { ...call.headers, ...type },
      body,
      // A redirect would take the key elsewhere, and no API of Heroku's has any.
      redirect: 'manual',
      signal,
    });
    return {
      status: response.status,
      retryAfter: response.headers.get('retry-after'),
      nextRange: response.status === PARTIAL_CONTENT ? response.headers.get('next-range') : null,
      text: await readText(call, response),
    };
  } finally {
    way.close();
  }
}

function straight(trust: Trust | undefined): ProxiedFetch {
  return { fetch: (url, init) => directFetch(url, init, trust), close: () => undefined };
}

async function readText(call: HttpCall, response: FetchAnswer): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) {
      throw new EpmuxError(
        'HEROKU_ANSWER_INVALID',
        `${call.url.host} answered with more than 4 MB to the question for ${call.what}`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parse(call: HttpCall, text: string): unknown {
  if (text.trim() === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    // The cause would quote the answer, which may hold config vars.
    throw new EpmuxError(
      'HEROKU_ANSWER_INVALID',
      `${call.url.host} did not answer in JSON to the question for ${call.what}`,
    );
  }
}
