import type { EpmuxError } from '../protocol/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { ProxySettings } from './proxy.ts';
import type { Trust } from './trust.ts';

export interface HttpCall {
  readonly method: 'GET' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: URL;
  /** May hold secrets. */
  readonly headers: Readonly<Record<string, string>>;
  readonly json?: unknown;
  /** For each try, from the connection to the answer's last byte. */
  readonly limitMs: number;
  /** Whether it does no harm to ask again. */
  readonly repeatable: boolean;
  /** For errors: `the dynos of my-app`. */
  readonly what: string;
  /** For errors: where the key came from. */
  readonly keySource: string;
  /** Never shown, should the answer repeat them. */
  readonly secrets: readonly string[];
}

export interface HttpPorts {
  readonly clock: Clock;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  readonly logger: Logger;
  readonly proxy?: ProxySettings | undefined;
  /** Instead of whom this process trusts by itself. */
  readonly trust?: Trust | undefined;
  /** What a call may wait in all before further tries: a minute unless told. */
  readonly patienceMs?: number | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly nextRange: string | null;
  readonly text: string;
}

/** A try that failed; `status`, Heroku's or a proxy's, undefined: there was no answer. */
export interface Failure {
  readonly error: EpmuxError;
  readonly status: number | undefined;
  readonly retryAfter: string | null;
  /** The time ran out: asking again would only take as long. */
  readonly isLate: boolean;
}
