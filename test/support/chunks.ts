import fc from 'fast-check';

/** Sizes to cut by, taken in turn: `[1]` is byte by byte. */
export const chunkings = fc.oneof(
  fc.constant([1]),
  fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1, maxLength: 8 }),
  fc.constant([Number.MAX_SAFE_INTEGER]),
);

/** The bytes as chunks of these sizes, each with memory of its own. */
export function chunked(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    chunks.push(Uint8Array.from(bytes.subarray(at, at + size)));
    at += size;
  }
  return chunks;
}
