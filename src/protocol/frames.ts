import { FRAME_HEADER_BYTES, MAX_PAYLOAD_BYTES, MAX_TEXT_BYTES } from './constants.ts';
import type { Directory } from './directory.ts';

/**
 * The priority class a stream is opened with; bulk also applies to an interactive stream while it
 * sends much. All of ours are opened interactive so far.
 */
export type StreamClass = 'interactive' | 'bulk';

/**
 * Why a stream or a session ended: a wire code (docs/protocol.md, 6) and a text for a person,
 * possibly empty.
 */
export interface EndReason {
  readonly code: number;
  readonly text: string;
}

interface Reasoned<T extends string> extends EndReason {
  readonly type: T;
}
interface OnStream<T extends string> {
  readonly type: T;
  readonly stream: number;
}

export interface AttachFrame {
  readonly type: 'ATTACH';
  readonly kind: 'new' | 'resume';
  /** 32 hexadecimal digits. */
  readonly sessionId: string;
  /** Reliable bytes that the daemon has. */
  readonly received: number;
}

export interface DataFrame extends OnStream<'DATA'> {
  readonly payload: Uint8Array;
}

export interface TailFrame {
  readonly type: 'TAIL';
  readonly payload: Uint8Array;
}

/**
 * Every frame of docs/protocol.md. Positions and limits are integers below 2^53, stream ids of 32
 * bits.
 */
export type Frame =
  | { readonly type: 'PROOF'; readonly proof: Uint8Array }
  | Reasoned<'REFUSE'>
  | AttachFrame
  | { readonly type: 'ATTACHED'; readonly kind: 'new' | 'resumed'; readonly received: number }
  | { readonly type: 'ACK'; readonly received: number }
  | { readonly type: 'PING'; readonly token: bigint }
  | { readonly type: 'PONG'; readonly token: bigint }
  | Reasoned<'GOODBYE'>
  | TailFrame
  | (OnStream<'OPEN'> & { readonly streamClass: StreamClass; readonly target: string })
  | OnStream<'ACCEPT'>
  | (OnStream<'REJECT'> & EndReason)
  | DataFrame
  | (OnStream<'CREDIT'> & { readonly limit: number })
  | OnStream<'FIN'>
  | (OnStream<'RESET'> & EndReason)
  | { readonly type: 'DIRECTORY'; readonly directory: Directory };

/** What a decoder hands out whole: DATA comes in slices, TAIL as what it completes. */
export type WholeFrame = Exclude<Frame, DataFrame | TailFrame>;
export type FrameOf<T extends Frame['type']> = Extract<Frame, { type: T }>;

interface FrameShape {
  readonly onStream: boolean;
  readonly minBytes: number;
  readonly maxBytes: number;
}

function pipe(minBytes: number, maxBytes = minBytes): FrameShape {
  return { onStream: false, minBytes, maxBytes };
}

function stream(minBytes: number, maxBytes = minBytes): FrameShape {
  return { onStream: true, minBytes, maxBytes };
}

const REASON_BYTES = [2, 2 + MAX_TEXT_BYTES] as const;

/** Bounds of each payload, known before a byte of it is kept. */
export const FRAME_SHAPES = {
  PROOF: pipe(32),
  REFUSE: pipe(...REASON_BYTES),
  ATTACH: pipe(25),
  ATTACHED: pipe(9),
  ACK: pipe(8),
  PING: pipe(8),
  PONG: pipe(8),
  GOODBYE: pipe(...REASON_BYTES),
  TAIL: pipe(1, FRAME_HEADER_BYTES - 1 + MAX_PAYLOAD_BYTES),
  OPEN: stream(2, 1 + MAX_TEXT_BYTES),
  ACCEPT: stream(0),
  REJECT: stream(...REASON_BYTES),
  DATA: stream(1, MAX_PAYLOAD_BYTES),
  CREDIT: stream(8),
  FIN: stream(0),
  RESET: stream(...REASON_BYTES),
  DIRECTORY: pipe(7, MAX_PAYLOAD_BYTES),
} as const satisfies Record<Frame['type'], FrameShape>;
