import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import type { Socket } from 'node:net';
import type { Client } from 'ssh2';
import { reusePacketMemory } from '../../../src/transport/ssh/packet-memory.ts';
import { pattern } from '../../support/pattern.ts';
import { socketPair } from '../../support/socket-pair.ts';

const BEFORE_PAYLOAD_BYTES = 5;
const TAIL_BYTES = 16;

/** As AES-GCM has it: blocks of 16 bytes, in which the length does not count (RFC 5647). */
function gcmPadding(payloadBytes: number): number {
  const padding = 16 - ((1 + payloadBytes) % 16);
  return padding < 4 ? padding + 16 : padding;
}

class StubCipher {
  readonly #paddingOf: (payloadBytes: number) => number;

  constructor(paddingOf: (payloadBytes: number) => number) {
    this.#paddingOf = paddingOf;
  }

  allocPacket(payloadBytes: number): Buffer {
    const padding = this.#paddingOf(payloadBytes);
    const packet = Buffer.alloc(BEFORE_PAYLOAD_BYTES + payloadBytes + padding + TAIL_BYTES);
    packet.writeUInt32BE(1 + payloadBytes + padding);
    packet[4] = padding;
    return packet;
  }

  encrypt(): void {}
}

class StubClient extends EventEmitter {
  readonly _protocol = { _cipher: new StubCipher(gcmPadding) };

  /** Keys have been exchanged: there is another cipher. */
  shake(cipher = new StubCipher(gcmPadding)): StubCipher {
    this._protocol._cipher = cipher;
    this.emit('handshake');
    return cipher;
  }
}

describe('memory of packets that leave over SSH', () => {
  let near: Socket;
  let far: Socket;
  let client: StubClient;

  beforeEach(async () => {
    [near, far] = await socketPair();
    client = new StubClient();
    reusePacketMemory(client as unknown as Client, near);
  });
  afterEach(() => {
    near.destroy();
    far.destroy();
  });

  const paddingOf = (packet: Buffer): Buffer =>
    packet.subarray(packet.length - TAIL_BYTES - (packet[4] ?? 0), packet.length - TAIL_BYTES);

  it('is laid out as the cipher does', () => {
    const cipher = client.shake();
    const twin = new StubCipher(gcmPadding);
    for (let bytes = 0; bytes < 200; bytes += 1) {
      const [packet, expected] = [cipher.allocPacket(bytes), twin.allocPacket(bytes)];
      assert.equal(packet.length, expected.length);
      assert.deepEqual(packet.subarray(0, 5), expected.subarray(0, 5));
    }
  });

  it('is the same for all packets that are written at once, and after another exchange of keys', async () => {
    const memories = new Set<ArrayBufferLike>();
    for (let i = 0; i < 3; i += 1) {
      const cipher = client.shake();
      for (let j = 0; j < 100; j += 1) {
        const packet = cipher.allocPacket(32 * 1024);
        memories.add(packet.buffer);
        far.resume();
        await new Promise<void>((resolve) => void near.write(packet, () => resolve()));
      }
    }
    assert.equal(memories.size, 1);
  });

  it('is not used again before the socket has let go of it', async () => {
    const cipher = client.shake();
    const sent: Buffer[] = [];
    let at = 0;
    /** More than the kernel's buffers hold, so that some of it waits here. */
    for (let bytes = 0; bytes < 24 * 1024 * 1024 || near.writableLength === 0; ) {
      const payload = pattern(1, at, 1 + ((at * 7) % 33_000));
      const packet = cipher.allocPacket(payload.length);
      packet.set(payload, BEFORE_PAYLOAD_BYTES);
      sent.push(Buffer.from(packet));
      near.write(packet);
      at += payload.length;
      bytes += packet.length;
    }
    near.end();
    const arrived: Buffer[] = [];
    far.on('data', (chunk: Buffer) => arrived.push(chunk));
    await once(far, 'end');
    assert.equal(Buffer.compare(Buffer.concat(arrived), Buffer.concat(sent)), 0);
  });

  it('has a padding of its own in each packet', () => {
    const cipher = client.shake();
    const paddings = new Set<string>();
    const COUNT = 3_000;
    for (let i = 0; i < COUNT; i += 1) {
      const padding = paddingOf(cipher.allocPacket(4));
      assert.equal(padding.length, 11);
      paddings.add(padding.toString('hex'));
    }
    assert.equal(paddings.size, COUNT);
  });

  it('is ssh2’s own where packets follow no such rule', () => {
    let bytes = 4;
    const cipher = client.shake(new StubCipher(() => 4 + (bytes++ % 200)));
    assert.equal(Object.hasOwn(cipher, 'allocPacket'), false);
  });
});
