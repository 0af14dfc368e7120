import { FRAME_HEADER_BYTES, FrameType } from '../../src/protocol/constants.ts';
import { writeHeader } from '../../src/protocol/encode.ts';

/** The header of a DATA frame whose payload follows. */
export function dataHeader(stream: number, length: number): Uint8Array {
  const header = new Uint8Array(FRAME_HEADER_BYTES);
  writeHeader(header, 0, FrameType.DATA, length, stream);
  return header;
}
