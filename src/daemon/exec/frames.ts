import { EpmuxError } from '../../protocol/errors.ts';

/**
 * What travels on the socket of one process, between a command and the daemon: type (1 byte),
 * length (4 bytes, big-endian), payload. Data flows within windows, so that what is small (a
 * signal, a size, an exit) is never stuck behind it: each end may send `WINDOW_BYTES` of data, and
 * more as the other grants it.
 */
export const FrameType = {
  /** Data. */
  stdin: 1,
  /** stdin has ended. */
  stdinEnd: 2,
  /** JSON `[columns, rows]` */
  resize: 3,
  /** A signal's name. */
  signal: 4,
  /** JSON number: so many bytes more of data may be sent. Both ways. */
  credit: 5,
  /** Data. */
  stdout: 6,
  /** Data. */
  stderr: 7,
  stdoutEnd: 8,
  /** JSON `{ code?, signal? }` */
  exit: 9,
  /** The last one: JSON `{ error? }`, an error as JSON-RPC has it. All output came before. */
  closed: 10,
} as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];
/** Those that a command sends. */
export type FromCommand = (typeof FrameType)['stdin' | 'stdinEnd' | 'resize' | 'signal' | 'credit'];
/** Those that the daemon sends. */
export type FromDaemon = Exclude<FrameType, FromCommand> | typeof FrameType.credit;

export const WINDOW_BYTES = 256 * 1024;
const HEADER_BYTES = 5;
const MAX_PAYLOAD_BYTES = 64 * 1024;
const TYPES: ReadonlySet<number> = new Set(Object.values(FrameType));

export interface Frame {
  readonly type: FrameType;
  readonly payload: Buffer;
}

/** What each frame that may come does. */
export type FrameHandlers<T extends FrameType> = { readonly [K in T]: (frame: Frame) => void };

/** CONTROL_PROTOCOL for a frame that this end only sends. */
export function handleFrame(
  handlers: Partial<Record<FrameType, (frame: Frame) => void>>,
  frame: Frame,
): void {
  const handle = handlers[frame.type];
  if (handle === undefined) {
    throw new EpmuxError('CONTROL_PROTOCOL', 'a frame of a type that only goes the other way');
  }
  handle(frame);
}

/** One frame; data of more than 64 KiB becomes several. */
export function encodeFrames(type: FrameType, payload: Uint8Array): Buffer[] {
  const parts: Buffer[] = [];
  let at = 0;
  do {
    const part = payload.subarray(at, at + MAX_PAYLOAD_BYTES);
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt8(type);
    header.writeUInt32BE(part.length, 1);
    parts.push(header, Buffer.from(part.buffer, part.byteOffset, part.length));
    at += part.length;
  } while (at < payload.length);
  return parts;
}

export function encodeJson(type: FrameType, value: unknown): Buffer[] {
  return encodeFrames(type, Buffer.from(JSON.stringify(value)));
}

/** CONTROL_PROTOCOL when it is no JSON. */
export function jsonOf({ payload }: Frame): unknown {
  try {
    return JSON.parse(payload.toString('utf8'));
  } catch (cause) {
    throw new EpmuxError('CONTROL_PROTOCOL', 'a frame holds no JSON', { cause });
  }
}

/** The grant of a credit frame. CONTROL_PROTOCOL when it is none. */
export function creditOf(frame: Frame): number {
  const credit = jsonOf(frame);
  if (Number.isInteger(credit) && Number(credit) > 0 && Number(credit) <= WINDOW_BYTES * 2) {
    return Number(credit);
  }
  throw new EpmuxError('CONTROL_PROTOCOL', 'a frame grants what can be no credit');
}

/**
 * Bytes in, whole frames out. CONTROL_PROTOCOL, behind the frames before it, for a type or a length
 * that is none.
 */
export class FrameSplitter {
  /**
   * Memory of its own for the frame that is not whole yet; nothing that was handed out lies in it.
   */
  #held: Buffer = Buffer.alloc(0);
  #heldBytes = 0;

  *push(chunk: Buffer): Generator<Frame, void, undefined> {
    const whole = this.#heldBytes === 0 ? chunk : this.#append(chunk);
    let at = 0;
    while (whole.length - at >= HEADER_BYTES) {
      const type = whole.readUInt8(at);
      const length = whole.readUInt32BE(at + 1);
      if (!TYPES.has(type) || length > MAX_PAYLOAD_BYTES) {
        throw new EpmuxError('CONTROL_PROTOCOL', 'what arrives there is no frame');
      }
      const end = at + HEADER_BYTES + length;
      if (whole.length < end) break;
      yield { type: type as FrameType, payload: whole.subarray(at + HEADER_BYTES, end) };
      at = end;
    }
    if (at > 0 || this.#heldBytes === 0) this.#hold(whole.subarray(at));
  }

  /** Grows by halves of itself, so that a frame in single bytes costs no more than its length. */
  #append(chunk: Buffer): Buffer {
    const bytes = this.#heldBytes + chunk.length;
    if (bytes > this.#held.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(bytes, Math.ceil(this.#held.length * 1.5)));
      this.#held.copy(grown, 0, 0, this.#heldBytes);
      this.#held = grown;
    }
    chunk.copy(this.#held, this.#heldBytes);
    this.#heldBytes = bytes;
    return this.#held.subarray(0, bytes);
  }

  #hold(rest: Buffer): void {
    this.#held = Buffer.from(rest);
    this.#heldBytes = rest.length;
  }
}
