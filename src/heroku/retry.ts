import type { Failure, HttpPorts } from './http.ts';

const MOST_TRIES = 4;
/** The first wait is drawn from 0 up to this, each further one from 0 up to twice the one before. */
const FIRST_WAIT_MS = 500;
const LONGEST_RETRY_AFTER_MS = 60_000;

/** How long to wait before the next try; undefined: it is not tried again. */
export function retryWait(
  failure: Omit<Failure, 'error'>,
  attempt: number,
  { clock, random }: Pick<HttpPorts, 'clock' | 'random'>,
): number | undefined {
  const { status, retryAfter, isLate } = failure;
  if (attempt >= MOST_TRIES || isLate) return undefined;
  if (status !== undefined && status !== 429 && status < 500) return undefined;
  const told = status === 429 ? retryAfterMs(retryAfter, clock.wallNow()) : undefined;
  if (told !== undefined) return told <= LONGEST_RETRY_AFTER_MS ? told : undefined;
  return random() * FIRST_WAIT_MS * 2 ** (attempt - 1);
}

/** The header's time from now: seconds or a date (RFC 9110, 10.2.3). */
export function retryAfterMs(header: string | null, wallNow: number): number | undefined {
  if (header === null) return undefined;
  if (/^\s*\d+\s*$/.test(header)) return Number(header) * 1_000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - wallNow);
}
