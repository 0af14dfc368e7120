/** What ssh2 keeps of the packet that is arriving. */
export interface PacketState {
  /** As far as it is there, from its fifth byte on. */
  readonly _packet: Uint8Array | null;
  /** How many bytes of the length are there. */
  readonly _lenBytes?: number;
}

/** AES-GCM alone says in the open how long a packet is (RFC 5647, 7.3). */
const OPEN_LENGTH = /^AESGCMDecipher/;
const LENGTH_BYTES = 4;
const TAG_BYTES = 16;
/** ssh2 takes none that is longer, and says so. */
const MOST_BYTES = 35_000;

/**
 * How many of the first `end` bytes, which are to be given to ssh2 next, are packets from their first byte to their last. All of them where that can't be seen. Nothing depends on
 * its being so: what is given later is a packet's rest to ssh2, as after any read.
 */
export function wholePacketBytes(state: PacketState, bytes: Buffer, end: number): number {
  if (!isBetweenPackets(state)) return end;
  for (let at = 0; ; ) {
    if (end - at < LENGTH_BYTES) return at;
    const length = bytes.readUInt32BE(at);
    if (length > MOST_BYTES) return end;
    const next = at + LENGTH_BYTES + length + TAG_BYTES;
    if (next > end) return at;
    at = next;
  }
}

export function isBetweenPackets(state: PacketState): boolean {
  return (
    state._lenBytes === 0 && state._packet === null && OPEN_LENGTH.test(state.constructor.name)
  );
}
