import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setImmediate as immediate } from 'node:timers/promises';
import { lend } from '../../src/runtime/lent-reads.ts';
import type { BytePipe } from '../../src/runtime/pipe.ts';
import { duplexPipe } from '../../src/runtime/socket-pipe.ts';
import { splice } from '../../src/runtime/splice.ts';
import { socketPair } from '../support/socket-pair.ts';
import { sha256, Tunnel } from './tunnel-support.ts';

const IGNORED = { onWritable: () => {}, onEnd: () => {}, onClosed: () => {} };

/** What came, copied, and which memory it lay in. */
function copier(pipe: BytePipe, bytes: number) {
  const pieces: Uint8Array[] = [];
  const memories = new Set<ArrayBufferLike>();
  const all = new Promise<Buffer>((resolve) => {
    let length = 0;
    pipe.start({
      ...IGNORED,
      copies: true,
      onBytes(chunk) {
        memories.add(chunk.buffer);
        pieces.push(Uint8Array.from(chunk));
        length += chunk.length;
        if (length === bytes) resolve(Buffer.concat(pieces));
      },
    });
  });
  return { all, memories };
}

describe('memory that sockets read into', function () {
  this.timeout(20_000);
  let tunnel: Tunnel;
  let sockets: Socket[] = [];

  beforeEach(async () => {
    tunnel = await new Tunnel().listen();
  });
  afterEach(() => {
    tunnel.close();
    for (const socket of sockets) socket.destroy();
    sockets = [];
  });

  const pair = async (): Promise<[Socket, Socket]> => {
    const both = await socketPair();
    sockets.push(...both);
    return both;
  };

  it('is the same for all whose owners copy, whether they dialled or were accepted', async () => {
    const [dialled, accepted] = (await pair()).map((socket) => duplexPipe(socket, 'a socket'));
    assert.ok(dialled && accepted);
    const data = randomBytes(3_000_000);
    const [one, other] = [copier(dialled, data.length), copier(accepted, data.length)];
    dialled.write(data);
    accepted.write(data);
    for (const { all } of [one, other]) assert.equal(sha256(await all), sha256(data));
    const memories = new Set([...one.memories, ...other.memories]);
    assert.equal(memories.size, process.platform === 'win32' ? memories.size : 1);
  });

  it('is read into again only when a socket that reads slowly has brought all out', async () => {
    await tunnel.attach();
    const [near, far] = await pair();
    tunnel.onIncoming = (stream) => {
      stream.accept();
      splice(stream, duplexPipe(near, 'a slow socket'));
    };
    const stream = tunnel.daemon.open('node/a', 'bulk');
    const data = randomBytes(24_000_000);
    const pieces: Buffer[] = [];
    let length = 0;
    far.on('data', (piece: Buffer) => {
      pieces.push(piece);
      length += piece.length;
      far.pause();
      setImmediate(() => setImmediate(() => far.resume()));
    });
    far.pause();
    stream.start({ ...IGNORED, onBytes() {} });
    stream.write(data);
    // By then the connections are full.
    while (near.writableLength === 0) await immediate();
    far.resume();
    while (length < data.length) await once(far, 'data');
    assert.equal(sha256(Buffer.concat(pieces)), sha256(data));
  });

  it('is not held by a few bytes for a socket that is behind, nor copied for one that is not', async () => {
    const [near, far] = await pair();
    const pipe = duplexPipe(near, 'a socket');
    let length = 0;
    const changeBeforeItLeaves = (): void => {
      const memory = Buffer.alloc(1_000, 'a');
      lend(memory, (chunk) => {
        for (const at of [0, 500]) pipe.write(chunk.subarray(at, at + 500));
        memory.fill('b');
      });
      length += memory.length;
    };
    changeBeforeItLeaves();
    while (pipe.bufferedBytes === 0) {
      pipe.write(Buffer.alloc(1 << 20, 'c'));
      length += 1 << 20;
      await immediate();
    }
    changeBeforeItLeaves();
    far.setEncoding('latin1');
    let text = '';
    while (text.length < length) text += (await once(far, 'data'))[0];
    assert.equal(text.slice(0, 1_000), 'b'.repeat(1_000));
    assert.equal(text.slice(-1_000), 'a'.repeat(1_000));
  });

  it('is out when its read ends, though something was written before it in the same turn', async () => {
    const [near, far] = await pair();
    const pipe = duplexPipe(near, 'a socket');
    const memory = Buffer.from('a part of a read');
    pipe.write(Buffer.from('first, '));
    const isKept = lend(memory, (chunk) => pipe.write(chunk));
    assert.equal(isKept, false);
    memory.fill('b');
    far.setEncoding('latin1');
    let text = '';
    while (text.length < 23) text += (await once(far, 'data'))[0];
    assert.equal(text, 'first, a part of a read');
  });

  it('is left to an owner who keeps what is handed out', async () => {
    await tunnel.attach();
    const data = randomBytes(4_000_000);
    const kept = new Promise<Uint8Array[]>((resolve) => {
      const pieces: Uint8Array[] = [];
      let length = 0;
      tunnel.onIncoming = (stream) => {
        stream.accept();
        stream.start({
          ...IGNORED,
          onBytes(chunk) {
            pieces.push(chunk);
            length += chunk.length;
            if (length === data.length) resolve(pieces);
          },
        });
      };
    });
    tunnel.daemon.open('node/a', 'bulk').write(data);
    assert.equal(sha256(Buffer.concat(await kept)), sha256(data));
  });
});
