import { Socket } from 'node:net';

/** How a socket that was made with net's option `onread` knows where to read to. */
interface Slots {
  readonly memory: symbol;
  readonly onRead: symbol;
  readonly next: symbol;
}
interface ReadingHandle {
  useUserBuffer(memory: Uint8Array): void;
}
type Inside = { [slot: symbol]: unknown } & { readonly _handle?: Partial<ReadingHandle> | null };
type OnBytes = (chunk: Uint8Array) => void;
/** The first `bytes` of `memory` are what the socket, which is `this`, has read. */
export type OnRead = (this: Socket, bytes: number, memory: Uint8Array) => void;

/**
 * Reads of a socket go into `memory`, always the same, instead of a new buffer each: what lies
 * there holds until `onRead` returns. It is what net's option `onread` does for sockets that dial;
 * those that a server accepts take no options, so it is set where net keeps it. False: this Node
 * has it elsewhere, or the socket is none of a plain connection's; all comes as `data`.
 */
export function readInto(socket: Socket, memory: Uint8Array, onRead: OnRead): boolean {
  return redirect(socket, memory, onRead);
}

/**
 * The same with memory of its own, which is used again unless a part of what was read is kept
 * beyond the call: by `keepRead`, or by a pipe that `onBytes` wrote to and that could not bring all
 * out.
 */
export function readIntoOwn(socket: Socket, bytes: number, onBytes: OnBytes): boolean {
  let memory = Buffer.allocUnsafeSlow(bytes);
  const onRead = (length: number): void => {
    if (lend(memory.subarray(0, length), onBytes)) memory = Buffer.allocUnsafeSlow(bytes);
  };
  return redirect(socket, memory, onRead, () => memory);
}

let lending = false;
let kept = false;
const written: Flushing[] = [];

/** `flush` brings out what was written, and says whether some of it is not out yet. */
export interface Flushing {
  flush(): boolean;
}

/** Whether bytes that are handed over now may be lent until the read's `onBytes` returns. */
export function isLending(): boolean {
  return lending;
}

/** What was read is kept: its memory must not be read into again. */
export function keepRead(): void {
  kept = true;
}

/** Flushes it when all of a read has been handed over. False: no read is under way. */
export function afterRead(writer: Flushing): boolean {
  if (lending) written.push(writer);
  return lending;
}

/** Hands a read over. True: a part of the chunk is kept. */
export function lend(chunk: Uint8Array, onBytes: OnBytes): boolean {
  lending = true;
  kept = false;
  try {
    onBytes(chunk);
  } finally {
    lending = false;
    for (const writer of written) kept = writer.flush() || kept;
    // One by one: to set the length is a call into V8's runtime, and frees memory that the next
    // read needs again.
    while (written.length > 0) written.pop();
  }
  return kept;
}

/** The same as `readInto`; before each further read `next` says into which memory. */
export function redirect(
  socket: Socket,
  memory: Uint8Array,
  onRead: OnRead,
  next: (() => Uint8Array) | null = null,
): boolean {
  // A read under way on Windows has got its memory already.
  if (!isPlainSocket(socket) || process.platform === 'win32') return false;
  const inside = socket as unknown as Inside;
  const slots = slotsOf(inside);
  const handle = inside._handle;
  if (slots === undefined || typeof handle?.useUserBuffer !== 'function') return false;
  handle.useUserBuffer(memory);
  inside[slots.memory] = memory;
  inside[slots.onRead] = onRead;
  inside[slots.next] = next;
  return true;
}

/** Whether what is written to it is in the kernel, or counted as not written. */
export function isPlainSocket(stream: object): boolean {
  return stream.constructor === Socket;
}

let found: Slots | undefined;

function slotsOf(inside: Inside): Slots | undefined {
  if (found === undefined) {
    const symbols = Object.getOwnPropertySymbols(inside);
    const byName = (name: string) => symbols.find(({ description }) => description === name);
    const [memory, onRead, next] = ['kBuffer', 'kBufferCb', 'kBufferGen'].map(byName);
    if (memory !== undefined && onRead !== undefined && next !== undefined) {
      found = { memory, onRead, next };
    }
  }
  return found !== undefined && inside[found.memory] === null ? found : undefined;
}
