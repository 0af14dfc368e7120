/** Bytes that tell by themselves where in which stream they belong. */
const PERIOD = 65_521;
const LONGEST = 1 << 20;

const base = new Uint8Array(PERIOD + LONGEST);
let seed = 12_345;
for (let at = 0; at < base.length; at++) {
  if (at < PERIOD) {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    base[at] = seed >>> 16;
  } else {
    base[at] = base[at - PERIOD] ?? 0;
  }
}

/** `length` bytes, at most 1 MiB, of the stream's pattern from `offset` on. Not a copy. */
export function pattern(stream: number, offset: number, length: number): Uint8Array {
  const start = (offset + stream * 1_009) % PERIOD;
  return base.subarray(start, start + length);
}

export function checkPattern(stream: number, offset: number, chunk: Uint8Array): void {
  if (Buffer.compare(pattern(stream, offset, chunk.length), chunk) !== 0) {
    throw new Error(`stream ${stream}: other bytes than were sent at ${offset}`);
  }
}
