import type { Socket } from 'node:net';
import type { Client } from 'ssh2';
import { keepRead, lend, redirect } from '../../runtime/lent-reads.ts';
import { BEFORE_DATA_BYTES, MessageType } from './ssh-codes.ts';
import { type Decipher, decipheringOf } from './ssh2-inside.ts';
import { isBetweenPackets, wholePacketBytes } from './whole-packets.ts';

type OnPayload = Decipher['_onPayload'];
/**
 * ssh2 decrypts a packet where it lies in what was read, unless that ends before the packet does.
 */
interface Deciphering {
  readonly _decipher: Decipher;
}

/**
 * Several of a server's packets, of 32 KiB. No more is read in a turn of the event loop, so that
 * what a person types does not wait for it.
 */
const MEMORY_BYTES = 128 * 1024;
/** Less than this is copied, so that what is kept of it does not keep all of the memory. */
const LENT_FROM_BYTES = 4_096;

/**
 * Reads of an SSH connection into memory that serves again, from the end of authentication on. ssh2
 * keeps parts of what it is given: so the memory serves again only when all that lay in it is known
 * to have been taken by owners of channels at once. A packet that is not whole waits for its rest
 * where that can be seen; ssh2 would put it together in memory of its own.
 */
export class LentPackets {
  readonly #socket: Socket;
  readonly #protocol: Deciphering;
  /** The one whose payloads are looked at; each exchange of keys brings another. */
  #decipher: Decipher | undefined;
  readonly #onPayload: OnPayload = (payload) => this.#look(payload);
  #ssh2OnPayload: OnPayload = () => undefined;
  /** What an owner took last. */
  #taken: Uint8Array | undefined;
  #memory = Buffer.allocUnsafeSlow(MEMORY_BYTES);
  /** At the start of the memory: a packet that is not whole. */
  #heldBytes = 0;
  /** Something was kept: what comes next is copied. */
  #isKept = false;

  /** Undefined where ssh2 or Node is made otherwise inside: all comes to ssh2 as by itself. */
  static begin(client: Client, socket: Socket): LentPackets | undefined {
    const protocol = decipheringOf(client);
    if (protocol === undefined || socket.readableLength > 0) return undefined;
    const packets = new LentPackets(protocol, socket);
    return packets.#redirect() ? packets : undefined;
  }

  private constructor(protocol: Deciphering, socket: Socket) {
    this.#protocol = protocol;
    this.#socket = socket;
  }

  /** An owner of a channel has all of the chunk, and has said `keepRead` if that is to last. */
  took(chunk: Uint8Array): void {
    this.#taken = chunk;
  }

  #redirect(): boolean {
    const onRead = (bytes: number): boolean => this.#read(bytes);
    const next = (): Uint8Array => this.#memory.subarray(this.#heldBytes);
    return redirect(this.#socket, this.#memory, onRead, next);
  }

  /** False: no more in this turn of the event loop. */
  #read(bytes: number): boolean {
    const memory = this.#memory;
    const end = this.#heldBytes + bytes;
    const decipher = this.#protocol._decipher;
    let given = wholePacketBytes(decipher, memory, end);
    this.#give(memory.subarray(0, given));
    const isNextWhole = decipher === this.#protocol._decipher && isBetweenPackets(decipher);
    if (given < end && !isNextWhole) {
      this.#give(memory.subarray(given, end));
      given = end;
    }
    memory.copy(this.#memory, 0, given, end);
    this.#heldBytes = end - given;
    if (end < MEMORY_BYTES) return true;
    setImmediate(resume, this.#socket);
    return false;
  }

  #give(bytes: Buffer): void {
    if (bytes.length === 0) return;
    const isLent = bytes.length >= LENT_FROM_BYTES && !this.#isKept;
    this.#isKept = lend(isLent ? bytes : Buffer.from(bytes), this.#onChunk);
    if (this.#isKept && isLent) this.#memory = Buffer.allocUnsafeSlow(MEMORY_BYTES);
  }

  readonly #onChunk = (chunk: Uint8Array): void => {
    const decipher = this.#watch();
    this.#socket.emit('data', chunk);
    const isWatched =
      decipher === this.#protocol._decipher && decipher._onPayload === this.#onPayload;
    // A packet of which nothing but the tail is missing is not copied by ssh2.
    if (!isWatched || decipher._packet?.buffer === chunk.buffer) keepRead();
  };

  #watch(): Decipher {
    const { _decipher: decipher } = this.#protocol;
    if (decipher !== this.#decipher) {
      this.#decipher = decipher;
      this.#ssh2OnPayload = decipher._onPayload;
      decipher._onPayload = this.#onPayload;
    }
    return decipher;
  }

  #look(payload: Uint8Array): unknown {
    this.#taken = undefined;
    const result = this.#ssh2OnPayload(payload);
    if (isKept(payload, this.#taken)) keepRead();
    return result;
  }
}

/** Whether the chunk is all of the data of a payload. */
function isDataOf(payload: Uint8Array, chunk: Uint8Array | undefined): boolean {
  return (
    chunk?.buffer === payload.buffer &&
    chunk.byteOffset === payload.byteOffset + BEFORE_DATA_BYTES &&
    chunk.length === payload.length - BEFORE_DATA_BYTES
  );
}

/** Of a message that makes a window wider nothing is: it holds numbers alone. */
function isKept(payload: Uint8Array, taken: Uint8Array | undefined): boolean {
  return payload[0] !== MessageType.channelWindowAdjust && !isDataOf(payload, taken);
}

function resume(socket: Socket): void {
  socket.resume();
}
