/**
 * The one error class. Errors are recognised by `instanceof EpmuxError` and their code
 * (`EpmuxError.is`), never by their message.
 */
import { ERROR_CODES, type ErrorCode, type ExitCode } from './error-codes.ts';

export { ERROR_CODES, type ErrorCode, Exit, type ExitCode } from './error-codes.ts';

/**
 * Facts that a program acts on, by name; never a secret. HOST_KEY_UNKNOWN: `host` (as known_hosts
 * has it), `keyType`, `fingerprint` (`SHA256:…`). CONNECT_FAILED: `refused`, what for:
 * `credentials` of a proxy, or the `port`, which nobody listens on. USAGE: `unsaid`, what nothing
 * names: the `way`. HEROKU_RATE_LIMITED: `retryAfterMs`, where Heroku said it.
 */
export type ErrorDetails = Readonly<Record<string, string>>;

export interface EpmuxErrorOptions {
  readonly cause?: unknown;
  readonly details?: ErrorDetails;
  /** Replaces the code's own hint where the place that fails knows a better next step. */
  readonly hint?: string;
}

/** What is undefined stays. */
export interface ErrorChanges {
  readonly message?: string | undefined;
  readonly hint?: string | undefined;
  readonly details?: ErrorDetails | undefined;
}

export class EpmuxError extends Error {
  override readonly name = 'EpmuxError';
  readonly code: ErrorCode;
  readonly hint: string;
  readonly details: ErrorDetails | undefined;

  constructor(code: ErrorCode, message: string, options: EpmuxErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint ?? ERROR_CODES[code].hint;
    this.details = options.details;
  }

  /** Whether it is an error of ours with one of these codes. */
  static is<C extends ErrorCode>(
    error: unknown,
    ...codes: readonly [C, ...C[]]
  ): error is EpmuxError & { readonly code: C } {
    return error instanceof EpmuxError && codes.some((code) => code === error.code);
  }

  /**
   * Errors of ours as they are; anything else as the cause of one that says `what` failed, and why.
   */
  static from(error: unknown, code: ErrorCode, what: string): EpmuxError {
    if (error instanceof EpmuxError) return error;
    return new EpmuxError(code, `${what}: ${messageOf(error)}`, { cause: error });
  }

  get exitCode(): ExitCode {
    return ERROR_CODES[this.code].exit;
  }

  /** The same error in other words: it keeps what is not named, and has this one as its cause. */
  with(changes: ErrorChanges): EpmuxError {
    const { message = this.message, hint = this.hint, details = this.details } = changes;
    return new EpmuxError(this.code, message, {
      cause: this,
      hint,
      ...(details === undefined ? {} : { details }),
    });
  }
}

/** The message of whatever was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Its stack where there is one, for a log. */
export function stackOf(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
}
