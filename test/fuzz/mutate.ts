/**
 * Changes to an input that know where its parts begin. Each is plain data, so that a test shrinks
 * it and a seed repeats it.
 */
import type { Framing } from './target.ts';

/** `at`, `to` and `value` are fractions from 0 to 1 of what there is to choose from. */
export interface Mutation {
  readonly kind: (typeof MUTATIONS)[number];
  readonly at: number;
  readonly to: number;
  readonly value: number;
}

export const MUTATIONS = [
  'flip-bit',
  'set-byte',
  'insert',
  'remove',
  'truncate',
  'lie-about-length',
  'repeat-part',
  'swap-parts',
  'drop-part',
  'splice',
  'number',
] as const;

/** Bytes that have a meaning somewhere. */
const TELLING = [0, 1, 2, 9, 10, 13, 27, 32, 34, 46, 58, 64, 91, 92, 123, 127, 128, 255] as const;
/** Lengths at the edges of fields and caps. */
const LENGTHS = [0, 1, 2, 255, 256, 512, 513, 1_024, 4_095, 4_096, 65_535, 65_536, 2 ** 24 - 1];
const NUMBERS = [0, -1, 1, 65_536, 99_999, 2 ** 31, 2 ** 32, 2 ** 53, Number.POSITIVE_INFINITY];
const MAX_BYTES = 4_096;

interface Part {
  readonly from: number;
  readonly to: number;
  /** Where its length stands, and in how many bytes. */
  readonly lengthAt?: number;
  readonly lengthBytes?: number;
}

/** `other`: another input of the same target, to take something from. */
export function mutate(
  input: Uint8Array,
  { kind, at, to, value }: Mutation,
  framing: Framing | undefined,
  other: Uint8Array,
): Uint8Array {
  const from = index(at, input.length);
  const end = index(to, input.length);
  const low = Math.min(from, end);
  const high = Math.max(from, end);
  const parts = (): Part[] => partsOf(input, framing);
  switch (kind) {
    case 'flip-bit':
      return replaced(input, from, (input[from] ?? 0) ^ (1 << index(value, 8)));
    case 'set-byte':
      return replaced(input, from, pick(TELLING, value));
    case 'insert':
      return joined(input.subarray(0, from), [pick(TELLING, value)], input.subarray(from));
    case 'remove':
      return joined(input.subarray(0, low), input.subarray(high));
    case 'truncate':
      return input.slice(0, from);
    case 'lie-about-length':
      return lied(input, pick(parts(), at), pick(LENGTHS, value));
    case 'repeat-part':
      return inserted(input, pick(parts(), at), pick(parts(), to));
    case 'swap-parts':
      return swapped(input, pick(parts(), at), pick(parts(), to));
    case 'drop-part': {
      const part = pick(parts(), at);
      return joined(input.subarray(0, part.from), input.subarray(part.to));
    }
    case 'splice':
      return joined(input.subarray(0, from), other.subarray(index(value, other.length)));
    case 'number':
      return renumbered(input, at, pick(NUMBERS, value));
  }
}

function index(fraction: number, length: number): number {
  return Math.min(Math.floor(fraction * length), Math.max(0, length - 1));
}

function pick<T>(list: readonly T[], fraction: number): T {
  return list[index(fraction, list.length)] as T;
}

function joined(...pieces: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  return Uint8Array.from(pieces.flatMap((piece) => [...piece])).subarray(0, MAX_BYTES);
}

function replaced(input: Uint8Array, at: number, byte: number): Uint8Array {
  const changed = Uint8Array.from(input);
  if (at < changed.length) changed[at] = byte;
  return changed;
}

function inserted(input: Uint8Array, part: Part, before: Part): Uint8Array {
  const copy = input.subarray(part.from, part.to);
  return joined(input.subarray(0, before.from), copy, input.subarray(before.from));
}

function swapped(input: Uint8Array, one: Part, other: Part): Uint8Array {
  const [first, second] = one.from <= other.from ? [one, other] : [other, one];
  if (first.to > second.from) return input;
  return joined(
    input.subarray(0, first.from),
    input.subarray(second.from, second.to),
    input.subarray(first.to, second.from),
    input.subarray(first.from, first.to),
    input.subarray(second.to),
  );
}

function lied(input: Uint8Array, part: Part, length: number): Uint8Array {
  const { lengthAt = part.from, lengthBytes = 2 } = part;
  const changed = Buffer.from(input);
  if (lengthAt + lengthBytes > changed.length) return changed;
  changed.writeUIntBE(length % 256 ** lengthBytes, lengthAt, lengthBytes);
  return changed;
}

/** Another number where one stands in digits. */
function renumbered(input: Uint8Array, at: number, number: number): Uint8Array {
  const text = Buffer.from(input).toString('latin1');
  const found = [...text.matchAll(/\d+/g)];
  if (found.length === 0) return input;
  const match = pick(found, at);
  const changed =
    text.slice(0, match.index) + String(number) + text.slice(match.index + match[0].length);
  return Buffer.from(changed, 'latin1').subarray(0, MAX_BYTES);
}

const HEADERS = {
  frames: { header: 8, lengthAt: 1, lengthBytes: 3 },
  u16: { header: 2, lengthAt: 0, lengthBytes: 2 },
  u32: { header: 4, lengthAt: 0, lengthBytes: 4 },
  exec: { header: 5, lengthAt: 1, lengthBytes: 4 },
} as const;

/** At least one. What follows a length that lies is one part. */
function partsOf(input: Uint8Array, framing: Framing | undefined): Part[] {
  const parts: Part[] = [];
  if (framing === undefined) return [{ from: 0, to: input.length }];
  const bytes = Buffer.from(input);
  for (let from = 0; from < bytes.length; ) {
    const part = framing === 'lines' ? lineAt(bytes, from) : framedAt(bytes, from, framing);
    parts.push(part);
    from = part.to;
  }
  return parts.length === 0 ? [{ from: 0, to: 0 }] : parts;
}

function lineAt(bytes: Buffer, from: number): Part {
  const end = bytes.indexOf(10, from);
  return { from, to: end < 0 ? bytes.length : end + 1 };
}

function framedAt(bytes: Buffer, from: number, framing: Exclude<Framing, 'lines'>): Part {
  const { header, lengthAt, lengthBytes } = HEADERS[framing];
  if (from + header > bytes.length) return { from, to: bytes.length };
  const length = bytes.readUIntBE(from + lengthAt, lengthBytes);
  const to = Math.min(bytes.length, from + header + length);
  return { from, to, lengthAt: from + lengthAt, lengthBytes };
}
