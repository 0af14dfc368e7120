import type { Readable, Writable } from 'node:stream';

/** What the owner of a stream, or of a pair of them, is told. */
export interface StreamListener {
  onBytes(chunk: Uint8Array): void;
  onReadEnd(): void;
  onReadClose(): void;
  /** The half that is written has finished or closed. */
  onWriteOver(): void;
  onError(cause: Error): void;
}

/**
 * How the functions below find who listens: they are the same for all streams, for there may be
 * thousands.
 */
const LISTENER = Symbol('who listens to this stream');
interface Heard {
  [LISTENER]?: StreamListener;
}

/** From now on, and one only. Bytes come after `listenToBytes`. */
export function listenTo(readable: Readable, writable: Writable, listener: StreamListener): void {
  (readable as Heard)[LISTENER] = listener;
  readable.on('error', onError).on('end', onReadEnd).on('close', onReadClose);
  writable.on('finish', onWriteOver);
  if (writable === (readable as unknown)) return;
  (writable as Heard)[LISTENER] = listener;
  // A process that ends closes its stdin before all of its stdout has been read.
  writable.on('error', onError).on('close', onWriteOver);
}

export function listenToBytes(readable: Readable): void {
  readable.on('data', onBytes);
}

/** For `readInto`. */
export function onRead(this: object, bytes: number, memory: Uint8Array): void {
  (this as Heard)[LISTENER]?.onBytes(memory.subarray(0, bytes));
}

function onBytes(this: Heard, chunk: Uint8Array): void {
  this[LISTENER]?.onBytes(chunk);
}

function onReadEnd(this: Heard): void {
  this[LISTENER]?.onReadEnd();
}

function onReadClose(this: Heard): void {
  this[LISTENER]?.onReadClose();
}

function onWriteOver(this: Heard): void {
  this[LISTENER]?.onWriteOver();
}

function onError(this: Heard, cause: Error): void {
  this[LISTENER]?.onError(cause);
}
