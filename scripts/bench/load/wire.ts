/** What a load generator asks a target for: one header a connection. */
export const HEADER_BYTES = 9;

/**
 * `echo`: all that follows comes back. `sink`: so many bytes are taken, then one comes back.
 * `source`: so many bytes come.
 */
export type Mode = 'echo' | 'sink' | 'source';

const CODES = { echo: 1, sink: 2, source: 3 } as const satisfies Record<Mode, number>;
/** More than any run moves. */
export const ENDLESS = 2 ** 50;

export function encodeHeader(mode: Mode, bytes = 0): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt8(CODES[mode], 0);
  header.writeDoubleBE(bytes, 1);
  return header;
}

export function decodeHeader(header: Buffer): { readonly mode: Mode; readonly bytes: number } {
  const code = header.readUInt8(0);
  const found = (Object.keys(CODES) as Mode[]).find((mode) => CODES[mode] === code);
  if (found === undefined) throw new Error(`no mode ${code}`);
  return { mode: found, bytes: header.readDoubleBE(1) };
}

/** One chunk for every write: what it holds does not matter. */
export const CHUNK = Buffer.alloc(256 * 1024, 0x55);
