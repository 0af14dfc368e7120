import { Socket } from 'node:net';

/** How a socket that was made with net's option `onread` knows where to read to. */
interface Slots {
  readonly memory: symbol;
  readonly onRead: symbol;
}
interface ReadingHandle {
  useUserBuffer(memory: Uint8Array): void;
}
type Inside = { [slot: symbol]: unknown } & { readonly _handle?: Partial<ReadingHandle> | null };

/**
 * Reads of a socket go into `memory`, always the same, instead of a new buffer each: `onBytes` gets a view that holds until it returns. It is what net's
 * option `onread` does for sockets that dial; those that a server accepts take no options, so it is set where net keeps it. False: this Node has it
 * elsewhere, or the socket is none of a plain connection's; all comes as `data`.
 */
export function readInto(
  socket: Socket,
  memory: Uint8Array,
  onBytes: (chunk: Uint8Array) => void,
): boolean {
  // A read under way on Windows has got its memory already.
  if (socket.constructor !== Socket || process.platform === 'win32') return false;
  const inside = socket as unknown as Inside;
  const slots = slotsOf(inside);
  const handle = inside._handle;
  if (slots === undefined || typeof handle?.useUserBuffer !== 'function') return false;
  handle.useUserBuffer(memory);
  inside[slots.memory] = memory;
  inside[slots.onRead] = (bytes: number) => onBytes(memory.subarray(0, bytes));
  return true;
}

let found: Slots | undefined;

function slotsOf(inside: Inside): Slots | undefined {
  if (found === undefined) {
    const symbols = Object.getOwnPropertySymbols(inside);
    const byName = (name: string) => symbols.find(({ description }) => description === name);
    const [memory, onRead] = [byName('kBuffer'), byName('kBufferCb')];
    if (memory !== undefined && onRead !== undefined) found = { memory, onRead };
  }
  return found !== undefined && inside[found.memory] === null ? found : undefined;
}
