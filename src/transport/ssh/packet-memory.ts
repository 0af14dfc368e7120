import { randomFillSync } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Client } from 'ssh2';
import { isPlainSocket } from '../../runtime/lent-reads.ts';
import { BEFORE_PAYLOAD_BYTES } from './ssh-codes.ts';
import { type Cipher, cipherOf } from './ssh2-inside.ts';

/**
 * How a cipher lays a packet out (RFC 4253, 6): length, length of the padding, payload, padding,
 * and a tail for the authentication.
 */
interface Layout {
  /** By the length of the payload, which counts modulo `CYCLE`. */
  readonly paddingBytes: readonly number[];
  readonly tailBytes: number;
}

/** A multiple of every cipher's block. */
const CYCLE = 32;
/** Somewhat more than what a full pipe holds. */
const MEMORY_BYTES = 256 * 1024;
const RANDOM_BYTES = 4_096;

/**
 * The packets of a connection lie side by side in one memory, which is used from its start again
 * whenever the socket holds nothing back: a packet is written in the very turn in which it is made,
 * so that all of them are in the kernel then. What finds no room there gets memory of its own. By
 * itself ssh2 gets new memory and new random bytes for each packet that it sends.
 */
export function reusePacketMemory(client: Client, socket: Socket): void {
  if (!isPlainSocket(socket)) return;
  const memory = new PacketMemory(socket);
  // Each exchange of keys brings another cipher.
  client.on('handshake', () => {
    const cipher = cipherOf(client);
    if (cipher !== undefined) memory.serve(cipher);
  });
}

class PacketMemory {
  readonly #socket: Socket;
  #memory: Buffer | undefined;
  #used = 0;
  readonly #random = Buffer.allocUnsafeSlow(RANDOM_BYTES);
  #randomUsed = RANDOM_BYTES;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  serve(cipher: Cipher): void {
    const layout = layoutOf(cipher);
    if (layout !== undefined) cipher.allocPacket = (bytes) => this.#packet(bytes, layout);
  }

  #packet(payloadBytes: number, { paddingBytes, tailBytes }: Layout): Buffer {
    const padding = paddingBytes[payloadBytes % CYCLE] ?? 0;
    const paddingAt = BEFORE_PAYLOAD_BYTES + payloadBytes;
    const packet = this.#take(paddingAt + padding + tailBytes);
    packet.writeUInt32BE(1 + payloadBytes + padding);
    packet[4] = padding;
    this.#fillRandom(packet, paddingAt, padding);
    return packet;
  }

  #take(bytes: number): Buffer {
    if (this.#socket.writableLength === 0) this.#used = 0;
    if (bytes > MEMORY_BYTES - this.#used) return Buffer.allocUnsafe(bytes);
    this.#memory ??= Buffer.allocUnsafeSlow(MEMORY_BYTES);
    const start = this.#used;
    this.#used += bytes;
    return this.#memory.subarray(start, this.#used);
  }

  /** No random byte is used twice. */
  #fillRandom(packet: Buffer, at: number, bytes: number): void {
    if (this.#randomUsed + bytes > RANDOM_BYTES) {
      randomFillSync(this.#random);
      this.#randomUsed = 0;
    }
    this.#random.copy(packet, at, this.#randomUsed, this.#randomUsed + bytes);
    this.#randomUsed += bytes;
  }
}

/** Seen in packets that the cipher makes by itself. Undefined: they follow another rule. */
function layoutOf(cipher: Cipher): Layout | undefined {
  const paddingBytes: number[] = [];
  let tailBytes: number | undefined;
  for (let bytes = 0; bytes < 2 * CYCLE; bytes += 1) {
    const packet = cipher.allocPacket(bytes);
    const padding = packet[4] ?? 0;
    const tail = packet.length - BEFORE_PAYLOAD_BYTES - bytes - padding;
    tailBytes ??= tail;
    paddingBytes[bytes % CYCLE] ??= padding;
    const isRegular = tail === tailBytes && padding === paddingBytes[bytes % CYCLE];
    if (!isRegular || tail < 0 || packet.readUInt32BE() !== 1 + bytes + padding) return undefined;
  }
  return tailBytes === undefined ? undefined : { paddingBytes, tailBytes };
}
