import { Pieces } from '../../erlang/bytes.ts';
import {
  EpmuxError,
  ERROR_CODES,
  type ErrorCode,
  type ErrorDetails,
} from '../../protocol/errors.ts';

/** Longest line either end takes. */
export const MAX_LINE_BYTES = 1_048_576;

/** JSON-RPC's own codes, and the one under which all of epmux's errors travel. */
export const RpcCode = {
  parse: -32_700,
  invalidRequest: -32_600,
  methodNotFound: -32_601,
  epmux: -32_000,
} as const;

export interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data?: {
    readonly code: ErrorCode;
    readonly hint: string;
    readonly details?: ErrorDetails;
  };
}

const TEXT = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * Bytes in, whole lines out. CONTROL_PROTOCOL, behind the lines before it, when a line is longer
 * than MAX_LINE_BYTES.
 */
export class LineSplitter {
  readonly #held = new Pieces();

  *push(chunk: Buffer): Generator<string, void, undefined> {
    let rest = chunk;
    for (let at = rest.indexOf(0x0a); at >= 0; at = rest.indexOf(0x0a)) {
      this.#hold(rest.subarray(0, at));
      yield TEXT.decode(this.#held.take());
      rest = rest.subarray(at + 1);
    }
    this.#hold(rest);
  }

  #hold(part: Buffer): void {
    if (this.#held.length + part.length > MAX_LINE_BYTES) {
      throw new EpmuxError('CONTROL_PROTOCOL', `a line of more than ${MAX_LINE_BYTES} bytes`);
    }
    this.#held.push(part);
  }
}

export function toRpcError(error: EpmuxError): RpcError {
  return {
    code: RpcCode.epmux,
    message: error.message,
    data: {
      code: error.code,
      hint: error.hint,
      ...(error.details === undefined ? {} : { details: error.details }),
    },
  };
}

function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(ERROR_CODES, code);
}

function isDetails(value: unknown): value is ErrorDetails {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every((fact) => typeof fact === 'string')
  );
}

/**
 * An EpmuxError with its code, hint and details again; what carries no code of ours comes back as
 * CONTROL_PROTOCOL.
 */
export function fromRpcError(value: unknown): EpmuxError {
  const { message, data } = (value ?? {}) as { message?: unknown; data?: unknown };
  const { code, hint, details } = (data ?? {}) as Record<'code' | 'hint' | 'details', unknown>;
  const text = typeof message === 'string' ? message : 'the daemon refused the request';
  return new EpmuxError(isErrorCode(code) ? code : 'CONTROL_PROTOCOL', text, {
    ...(typeof hint === 'string' ? { hint } : {}),
    ...(isDetails(details) ? { details } : {}),
  });
}
