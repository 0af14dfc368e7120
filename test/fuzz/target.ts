/** What is fuzzed, and what has to hold for any bytes whatever. */
import { EpmuxError, type ErrorCode } from '../../src/protocol/errors.ts';

/** One decoder at work. */
export interface Decoder {
  push(chunk: Uint8Array): void;
  /** Nothing more will come. */
  end?(): void;
}

/**
 * Takes what a decoder gives, in order: plain values, compared deeply. Bytes that may come in any
 * pieces are told by `bytes`.
 */
export interface Told {
  fact(fact: unknown): void;
  /** Pieces told in a row under one name are one fact. */
  bytes(name: string, piece: Uint8Array): void;
}

/**
 * Where the parts of an input begin, so that mutations can lie about lengths, and repeat, swap and
 * drop whole parts.
 */
export type Framing = 'frames' | 'u16' | 'u32' | 'exec' | 'lines';

export interface Target {
  readonly name: string;
  /** All that it may throw; anything else is a finding. */
  readonly errors: readonly ErrorCode[];
  /** It takes its input in one piece. Others give the same wherever the input is cut. */
  readonly whole?: boolean;
  readonly framing?: Framing;
  readonly seeds: readonly Uint8Array[];
  readonly open: (told: Told) => Decoder;
  /** Bytes without end that it has to wait for, and how much of them it may keep. */
  readonly flood?: { readonly chunks: () => Iterable<Uint8Array>; readonly mayHoldBytes: number };
}

export interface Outcome {
  readonly facts: readonly unknown[];
  /** The code of the EpmuxError that ended it. */
  readonly error: ErrorCode | undefined;
}

/** A rule that was broken although nothing was thrown. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

export function hold(condition: boolean, rule: string): asserts condition {
  if (!condition) throw new Violation(rule);
}

class Facts implements Told {
  readonly facts: unknown[] = [];
  #open: { readonly name: string; readonly pieces: Uint8Array[] } | undefined;

  fact(fact: unknown): void {
    this.close();
    this.facts.push(fact);
  }

  bytes(name: string, piece: Uint8Array): void {
    if (piece.length === 0) return;
    if (this.#open?.name !== name) this.close();
    this.#open ??= { name, pieces: [] };
    this.#open.pieces.push(Uint8Array.from(piece));
  }

  close(): void {
    const open = this.#open;
    this.#open = undefined;
    if (open !== undefined) {
      this.facts.push({ [open.name]: Buffer.concat(open.pieces).toString('latin1') });
    }
  }
}

/** Throws what is a finding: anything but the target's own errors. */
export function run(target: Target, chunks: Iterable<Uint8Array>): Outcome {
  const told = new Facts();
  let error: ErrorCode | undefined;
  try {
    const decoder = target.open(told);
    for (const chunk of chunks) decoder.push(chunk);
    decoder.end?.();
  } catch (thrown) {
    if (!(thrown instanceof EpmuxError) || !target.errors.includes(thrown.code)) throw thrown;
    error = thrown.code;
  }
  told.close();
  return { facts: told.facts, error };
}

/** A decoder of whole inputs as one of pieces. */
export function whole(decode: (bytes: Uint8Array, told: Told) => void): Target['open'] {
  return (told) => {
    const pieces: Uint8Array[] = [];
    return {
      push: (chunk) => pieces.push(chunk),
      end: () => decode(Buffer.concat(pieces), told),
    };
  };
}

export function ascii(text: string): Uint8Array {
  return Buffer.from(text, 'utf8');
}

export function hex(text: string): Uint8Array {
  return Buffer.from(text, 'hex');
}

/** The same chunk over and over, after a beginning. */
export function* endless(beginning: Uint8Array, chunk: Uint8Array): Generator<Uint8Array> {
  yield beginning;
  for (;;) yield Uint8Array.from(chunk);
}
