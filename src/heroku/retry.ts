import type { EpmuxError } from '../protocol/errors.ts';
import type { Failure, HttpPorts } from './http-call.ts';

const MAX_TRIES = 4;
/**
 * The first wait is drawn from 0 up to this, each further one from 0 up to twice the one before.
 */
const FIRST_WAIT_MS = 500;
/** What is waited in all before further tries of one call, unless its caller has less time. */
export const PATIENCE_MS = 60_000;

/** After 429 Heroku is left in peace for so long, or longer if it said so. */
const MIN_SPARED_MS = 60_000;
const MAX_SPARED_MS = 3_600_000;

/**
 * How long to wait before the next try; undefined: it is not tried again, for instance as that
 * would take longer than `leftMs`.
 */
export function retryWait(
  failure: Omit<Failure, 'error'>,
  attempt: number,
  { clock, random, leftMs }: Pick<HttpPorts, 'clock' | 'random'> & { readonly leftMs: number },
): number | undefined {
  const { status, retryAfter, isLate } = failure;
  if (attempt >= MAX_TRIES || isLate) return undefined;
  if (status !== undefined && status !== 429 && status < 500) return undefined;
  const told = status === 429 ? retryAfterMs(retryAfter, clock.wallNow()) : undefined;
  const wait = told ?? random() * FIRST_WAIT_MS * 2 ** (attempt - 1);
  return wait <= leftMs ? wait : undefined;
}

/** The header's time from now: seconds or a date (RFC 9110, 10.2.3). */
export function retryAfterMs(header: string | null, wallNow: number): number | undefined {
  if (header === null) return undefined;
  if (/^\s*\d+\s*$/.test(header)) return Number(header) * 1_000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - wallNow);
}

/**
 * How long Heroku is not asked again by itself after this error; undefined where it did not want
 * fewer questions.
 */
export function sparedMs({ code, details }: EpmuxError): number | undefined {
  if (code !== 'HEROKU_RATE_LIMITED') return undefined;
  const toldMs = Number(details?.['retryAfterMs'] ?? 0);
  return Math.min(MAX_SPARED_MS, Math.max(MIN_SPARED_MS, toldMs));
}
