import type { WireCodeName } from './constants.ts';
import { WireCode } from './constants.ts';
import type { ErrorCode } from './errors.ts';
import { EpmuxError } from './errors.ts';
import type { EndReason } from './frames.ts';
import { printable } from './text.ts';

interface WireMeaning {
  /** The code of the error that a person sees. */
  readonly error: ErrorCode;
  /** Said when the other end gave no text. */
  readonly message: string;
  /** Where the code's own is for this end. */
  readonly hint?: string;
  /** Stands behind what the other end says of itself and this one. */
  readonly tail?: string;
}

const MEANINGS: { readonly [Name in WireCodeName]: WireMeaning } = {
  NONE: { error: 'SESSION_LOST', message: 'the other end closed' },
  PROTOCOL: { error: 'PROTOCOL', message: 'the other end says that the protocol was broken' },
  VERSION: { error: 'VERSION_MISMATCH', message: 'no common version of the protocol' },
  SECRET: { error: 'SECRET_REFUSED', message: 'the other end has another secret' },
  UNSUPPORTED: {
    error: 'UNSUPPORTED',
    message: 'the other end does not know what was asked',
    hint: 'the other end is older and does not know what this one requires: install this version there',
    tail: ', as the other end says',
  },
  SESSION_UNKNOWN: { error: 'SESSION_LOST', message: 'the other end has no such session' },
  POSITION: { error: 'SESSION_LOST', message: 'the session can not be resumed' },
  BUSY: { error: 'BUSY', message: 'a limit is reached at the other end' },
  EXHAUSTED: { error: 'SESSION_LOST', message: 'the session has no stream ids left' },
  SHUTDOWN: { error: 'SESSION_LOST', message: 'the other end stops' },
  UNKNOWN_TARGET: { error: 'NODE_NOT_FOUND', message: 'the agent does not serve this target' },
  NO_SUCH_NODE: { error: 'NODE_NOT_FOUND', message: 'epmd there knows no such node' },
  NO_EPMD: { error: 'NO_EPMD', message: 'epmd does not answer there' },
  CONNECT_FAILED: { error: 'NODE_UNREACHABLE', message: 'the node refused the connection' },
  CANCELLED: { error: 'INTERRUPTED', message: 'the opener is gone' },
  ENDPOINT_GONE: { error: 'NODE_UNREACHABLE', message: 'the socket behind the stream broke' },
  STALLED: { error: 'NODE_STALLED', message: 'the tunnel did not drain' },
  NODE_SILENT: { error: 'NODE_UNREACHABLE', message: 'the node sent nothing for too long' },
  HIDDEN_ONLY: { error: 'HANDSHAKE_REFUSED', message: 'only hidden nodes are let through' },
  REPLACED: { error: 'PIPE_LOST', message: 'another connection took the session over' },
  TIMEOUT: { error: 'TIMEOUT', message: 'the other end waited for too long' },
  COOKIE: { error: 'COOKIE_REFUSED', message: 'the node refused the cookie' },
};

/**
 * What is said to the other end when this error is the reason; codes that are not here are
 * ENDPOINT_GONE.
 */
const WIRE_CODES: { readonly [Code in ErrorCode]?: WireCodeName } = {
  PROTOCOL: 'PROTOCOL',
  VERSION_MISMATCH: 'VERSION',
  SECRET_REFUSED: 'SECRET',
  UNSUPPORTED: 'UNSUPPORTED',
  BUSY: 'BUSY',
  NODE_NOT_FOUND: 'NO_SUCH_NODE',
  NO_EPMD: 'NO_EPMD',
  NODE_UNREACHABLE: 'CONNECT_FAILED',
  NODE_STALLED: 'STALLED',
  CONNECT_FAILED: 'CONNECT_FAILED',
  INTERRUPTED: 'CANCELLED',
  TIMEOUT: 'TIMEOUT',
  COOKIE_REFUSED: 'COOKIE',
};

const NAMES: ReadonlyMap<number, WireCodeName> = new Map(
  Object.entries(WireCode).map(([name, code]) => [code, name as WireCodeName]),
);

/** `STALLED`, or `code 40000` when this version does not know it: for logs and `status`. */
export function wireCodeName(code: number): string {
  return NAMES.get(code) ?? `code ${code}`;
}

/** The error that a code and text of the other end amount to. The text is made safe to print. */
export function wireError(reason: EndReason): EpmuxError {
  const name = NAMES.get(reason.code);
  const { error, message, hint, tail = '' }: WireMeaning = MEANINGS[name ?? 'PROTOCOL'];
  const unknown = name === undefined ? ` (${wireCodeName(reason.code)})` : '';
  const text = printable(reason.text).trim();
  const told = text === '' ? message : `${text}${tail}`;
  return new EpmuxError(error, `${told}${unknown}`, hint === undefined ? {} : { hint });
}

/** What to tell the other end when `error` is why this one gives up. */
export function wireReason(error: EpmuxError): EndReason {
  return { code: WireCode[WIRE_CODES[error.code] ?? 'ENDPOINT_GONE'], text: error.message };
}
