import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Client } from 'ssh2';
import { LentPackets } from '../../../src/transport/ssh/lent-packets.ts';
import { wholePacketBytes } from '../../../src/transport/ssh/whole-packets.ts';
import { socketPair } from '../../support/socket-pair.ts';

const CHANNEL_DATA = 94;
const WINDOW_ADJUST = 93;
const BEFORE_DATA_BYTES = 9;
/** Less is copied, and a read may end with less. */
const LENT_FROM_BYTES = 4_096;
const ROUNDS = 12;

/** Takes each read for one payload. */
class StubDecipher {
  _packet: Uint8Array | null = null;
  _onPayload: (payload: Buffer) => unknown;

  constructor(onPayload: (payload: Buffer) => unknown) {
    this._onPayload = onPayload;
  }
}

class AESGCMDecipherStub extends StubDecipher {
  _lenBytes = 0;
}
class OtherDecipher extends AESGCMDecipherStub {}

describe('memory that an SSH connection reads into', () => {
  let near: Socket;
  let far: Socket;
  let packets: LentPackets;
  let protocol: { _decipher: StubDecipher };
  /** What ssh2 does with a payload. */
  let handle: (payload: Buffer) => void;
  let memories: Set<ArrayBufferLike>;
  /** What was kept, and a copy of it. */
  let kept: [Uint8Array, Buffer][];

  beforeEach(async () => {
    [near, far] = await socketPair();
    memories = new Set();
    kept = [];
    const onPayload = (payload: Buffer): void => {
      if (payload.length >= LENT_FROM_BYTES) memories.add(payload.buffer);
      handle(payload);
    };
    protocol = { _decipher: new StubDecipher(onPayload) };
    near.on('data', (chunk: Buffer) => protocol._decipher._onPayload(chunk));
    const begun = LentPackets.begin({ _protocol: protocol } as unknown as Client, near);
    assert.ok(begun);
    packets = begun;
  });
  afterEach(() => {
    near.destroy();
    far.destroy();
  });

  const takeAll = (payload: Buffer): void => packets.took(payload.subarray(BEFORE_DATA_BYTES));
  const keep = (chunk: Uint8Array): void => void kept.push([chunk, Buffer.from(chunk)]);

  /** Payloads of the type, each other than the one before. */
  const send = async (type: number, bytes: number): Promise<void> => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const before = near.bytesRead;
      const payload = Buffer.alloc(bytes, `round ${round}`);
      payload[0] = type;
      far.write(payload);
      while (near.bytesRead < before + bytes) await new Promise((done) => setImmediate(done));
    }
  };
  const isIntact = (): boolean => kept.every(([chunk, copy]) => Buffer.compare(chunk, copy) === 0);

  it('serves again when owners of channels took all that lay in it', async () => {
    handle = takeAll;
    await send(CHANNEL_DATA, 20_000);
    assert.equal(memories.size, 1);
  });

  it('serves again after a word that only makes a window wider', async () => {
    handle = () => undefined;
    await send(WINDOW_ADJUST, 20_000);
    assert.equal(memories.size, 1);
  });

  it('is left to who keeps a payload', async () => {
    handle = keep;
    await send(CHANNEL_DATA, 20_000);
    assert.ok(kept.length >= ROUNDS && isIntact());
  });

  it('is left to ssh2 when an owner was given less than all', async () => {
    handle = (payload) => {
      packets.took(payload.subarray(BEFORE_DATA_BYTES, -1));
      keep(payload.subarray(-1));
    };
    await send(CHANNEL_DATA, 20_000);
    assert.ok(kept.length >= ROUNDS && isIntact());
  });

  it('is left to what nobody looks at, as while keys are exchanged', async () => {
    handle = (payload) => {
      takeAll(payload);
      protocol._decipher._onPayload = keep;
    };
    await send(CHANNEL_DATA, 20_000);
    assert.ok(kept.length >= ROUNDS - 1 && isIntact());
  });

  it('is left to the payloads that came with other keys', async () => {
    handle = (payload) => {
      takeAll(payload);
      protocol._decipher = new StubDecipher(keep);
      keep(payload);
    };
    await send(CHANNEL_DATA, 20_000);
    assert.ok(kept.length >= ROUNDS && isIntact());
  });

  it('is left to a packet of which only the tail is missing', async () => {
    handle = (payload) => {
      takeAll(payload);
      keep(payload);
      protocol._decipher._packet = payload;
    };
    await send(CHANNEL_DATA, 20_000);
    assert.ok(kept.length >= ROUNDS && isIntact());
  });

  it('is no part of what is small, whoever keeps that', async () => {
    handle = keep;
    await send(CHANNEL_DATA, 100);
    // Node's own pool for small ones has 8 KiB, or 64 (Node 24); what is read into has 128.
    assert.ok(kept.every(([chunk]) => chunk.buffer.byteLength < 128 * 1024));
  });

  it('goes on after a read that fills it', async () => {
    let bytes = 0;
    handle = (payload) => {
      takeAll(payload);
      bytes += payload.length;
    };
    const total = 8 * 1024 * 1024;
    near.pause();
    // Fills the kernel's buffers at once.
    far.end(Buffer.alloc(total, CHANNEL_DATA));
    near.resume();
    await once(near, 'end');
    assert.equal(bytes, total);
    assert.equal(memories.size, 1);
  });

  describe('with packets whose length can be seen', () => {
    const packet = (bytes: number): Buffer => {
      const whole = Buffer.alloc(4 + bytes + 16, 'x');
      whole.writeUInt32BE(bytes);
      return whole;
    };
    const [first, second] = [packet(8_000), packet(30_000)];
    let given: Buffer[];

    beforeEach(() => {
      given = [];
      handle = (payload) => given.push(Buffer.from(payload));
      protocol._decipher = new AESGCMDecipherStub(protocol._decipher._onPayload);
    });
    const read = async (...parts: Buffer[]): Promise<void> => {
      const bytes = Buffer.concat(parts);
      const before = near.bytesRead;
      far.write(bytes);
      while (near.bytesRead < before + bytes.length)
        await new Promise((done) => setImmediate(done));
    };

    it('holds what is not whole back until its rest is there', async () => {
      await read(first, second.subarray(0, 20_000));
      assert.deepEqual(given, [first]);
      await read(second.subarray(20_000), first, second.subarray(0, 2));
      await read(second.subarray(2));
      assert.deepEqual(Buffer.concat(given), Buffer.concat([first, second, first, second]));
      assert.equal(given.length, 3);
    });

    it('holds nothing back of what follows other keys', async () => {
      handle = (payload) => {
        given.push(Buffer.from(payload));
        protocol._decipher = new StubDecipher((rest) => given.push(Buffer.from(rest)));
      };
      await read(first, second.subarray(0, 20_000));
      assert.deepEqual(Buffer.concat(given), Buffer.concat([first, second.subarray(0, 20_000)]));
    });
  });

  it('is not there where ssh2 is made otherwise inside', () => {
    assert.equal(LentPackets.begin({} as Client, near), undefined);
    assert.equal(
      LentPackets.begin({ _protocol: { _decipher: {} } } as unknown as Client, near),
      undefined,
    );
  });
});

describe('packets of an SSH connection', () => {
  /** Lengths of 16, 160 and 1,600 bytes, each with four before it and a tag behind. */
  const ENDS = [36, 216, 1_836];
  const ignore = (): void => undefined;
  const bytes = Buffer.alloc(2_000, 0xff);
  bytes.writeUInt32BE(16);
  bytes.writeUInt32BE(160, 36);
  bytes.writeUInt32BE(1_600, 216);

  it('are told apart at every offset at which a read may end', () => {
    for (let end = 0; end < 1_840; end += 1) {
      const whole = ENDS.findLast((one) => one <= end) ?? 0;
      assert.equal(wholePacketBytes(new AESGCMDecipherStub(ignore), bytes, end), whole);
    }
  });

  it('are all given to ssh2 where one has an impossible length', () => {
    assert.equal(wholePacketBytes(new AESGCMDecipherStub(ignore), bytes, 1_840), 1_840);
  });

  it('are not told apart in the middle of one, nor where another cipher hides the lengths', () => {
    const [inLength, inBody] = [new AESGCMDecipherStub(ignore), new AESGCMDecipherStub(ignore)];
    inLength._lenBytes = 3;
    inBody._packet = new Uint8Array(16);
    for (const state of [inLength, inBody, new OtherDecipher(ignore)]) {
      assert.equal(wholePacketBytes(state, bytes, 100), 100);
    }
  });
});
