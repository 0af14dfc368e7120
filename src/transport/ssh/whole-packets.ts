import { type Decipher, hasOpenLengths } from './ssh2-inside.ts';

const LENGTH_BYTES = 4;
const TAG_BYTES = 16;
/** ssh2 takes none that is longer, and says so. */
const MAX_BYTES = 35_000;

/**
 * How many of the first `end` bytes, which are to be given to ssh2 next, are packets from their
 * first byte to their last. All of them where that can't be seen. Nothing depends on its being so:
 * what is given later is a packet's rest to ssh2, as after any read.
 */
export function wholePacketBytes(decipher: Decipher, bytes: Buffer, end: number): number {
  if (!isBetweenPackets(decipher)) return end;
  for (let at = 0; ; ) {
    if (end - at < LENGTH_BYTES) return at;
    const length = bytes.readUInt32BE(at);
    if (length > MAX_BYTES) return end;
    const next = at + LENGTH_BYTES + length + TAG_BYTES;
    if (next > end) return at;
    at = next;
  }
}

export function isBetweenPackets(decipher: Decipher): boolean {
  return decipher._lenBytes === 0 && decipher._packet === null && hasOpenLengths(decipher);
}
