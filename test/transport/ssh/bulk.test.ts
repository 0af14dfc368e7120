import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import type { BytePipe } from '../../../src/runtime/pipe.ts';
import { duplexPipe } from '../../../src/runtime/socket-pipe.ts';
import type { Carrier } from '../../../src/transport/transport.ts';
import { FarEnd } from '../../support/far-end.ts';
import { leaveOut } from '../../support/left-out.ts';
import { checkPattern, pattern } from '../../support/pattern.ts';
import { own } from '../../support/recording-pipe.ts';
import { socketPair } from '../../support/socket-pair.ts';
import { startSshd, type TestSshd } from '../../support/sshd.ts';
import { CHUNK, check, never, pour, size } from '../contract-support.ts';
import { connectTo } from './support.ts';

const TOTAL = 160 * CHUNK;

const CIPHERS = ['aes128-gcm@openssh.com', 'chacha20-poly1305@openssh.com', 'aes128-ctr'];
const NO_ADDON = 'ssh2 has no addon here, and Node decrypts into other memory';
const { bindingAvailable } = createRequire(import.meta.url)('ssh2/lib/protocol/crypto.js');
const IGNORED = { onWritable: () => {}, onEnd: () => {}, onClosed: () => {} };

async function feed(socket: Socket, stream: number, total = TOTAL): Promise<void> {
  for (let at = 0; at < total; at += CHUNK) {
    if (!socket.write(pattern(stream, at, CHUNK))) await once(socket, 'drain');
  }
}

/** Resolves when so many bytes of the stream have come, and all of them were right. */
function checked(socket: Socket, stream: number, total = TOTAL): Promise<void> {
  return new Promise((resolve) => {
    let at = 0;
    socket.on('data', (chunk: Buffer) => {
      checkPattern(stream, at, chunk);
      at += chunk.length;
      if (at === total) resolve();
    });
  });
}

/** The same of a pipe whose owner keeps nothing; gives the memories in which large pieces lay. */
function taken(pipe: BytePipe, stream: number, total = TOTAL): Promise<Set<ArrayBufferLike>> {
  const memories = new Set<ArrayBufferLike>();
  return new Promise((resolve) => {
    let at = 0;
    pipe.start({
      ...IGNORED,
      copies: true,
      onBytes(chunk) {
        checkPattern(stream, at, chunk);
        at += chunk.length;
        if (chunk.length >= CHUNK / 4) memories.add(chunk.buffer);
        if (at === total) resolve(memories);
      },
    });
  });
}

describe('bulk over SSH', function () {
  this.timeout(30_000);
  let far: FarEnd;
  let sshd: TestSshd;
  let carrier: Carrier;

  before(async () => {
    far = await FarEnd.start();
  });
  after(() => far.stop());
  const connect = async (config: readonly string[]): Promise<void> => {
    sshd = await startSshd({ config });
    carrier = await connectTo(sshd, { agentPort: far.port });
  };
  afterEach(async () => {
    carrier.close();
    await sshd.stop();
  });
  const open = (): Promise<[BytePipe, Socket]> =>
    Promise.all([carrier.openAgentPipe(never), far.next()]);

  for (const cipher of CIPHERS) {
    it(`is exact both ways with ${cipher}, while keys are exchanged again and again`, async () => {
      await connect([`Ciphers ${cipher}`, 'RekeyLimit 1M', 'LogLevel DEBUG1']);
      const [pipe, socket] = await open();
      const [local, remote] = await socketPair();
      const out = duplexPipe(local, 'a local socket');
      out.start({ ...IGNORED, onBytes() {}, onWritable: () => pipe.resume() });
      const done = [checked(socket, 1), checked(remote, 2), feed(socket, 2)];
      let writable = (): void => {};
      pipe.start({
        ...IGNORED,
        passes: true,
        onBytes: (chunk) => void (out.write(chunk) || pipe.pause()),
        onWritable: () => writable(),
      });
      for (let at = 0; at < TOTAL; at += CHUNK) {
        if (pipe.write(pattern(1, at, CHUNK))) continue;
        await new Promise<void>((resolve) => {
          writable = resolve;
        });
      }
      await Promise.all(done);
      out.close();
      remote.destroy();
      const rekeyed = sshd.log().match(/SSH2_MSG_NEWKEYS received/g)?.length ?? 0;
      assert.ok(rekeyed > 3, `keys were exchanged ${rekeyed} times`);
    });
  }

  it('is read into the same memory by an owner who keeps nothing', async function () {
    if (!bindingAvailable) leaveOut(this, NO_ADDON);
    await connect([`Ciphers ${CIPHERS[0]}`]);
    const [pipe, socket] = await open();
    const [memories] = await Promise.all([taken(pipe, 1), feed(socket, 1)]);
    // 40 reads at least, after some in which the server had something else to say too.
    assert.ok(memories.size < 12, `it lay in ${memories.size}`);
  });

  it('is left to an owner who keeps what it is given', async () => {
    await connect([]);
    const [pipe, socket] = await open();
    const owner = own(pipe);
    await Promise.all([feed(socket, 1), owner.until(() => size(owner) === TOTAL)]);
    check(1, owner.chunks, TOTAL);
  });

  it('leaves what waits for a paused owner as it is', async () => {
    await connect([]);
    const [[waiting, first], [busy, second]] = [await open(), await open()];
    const owner = own(waiting);
    waiting.pause();
    await Promise.all([feed(first, 1, 16 * CHUNK), Promise.all([taken(busy, 2), feed(second, 2)])]);
    waiting.resume();
    await owner.until(() => size(owner) === 16 * CHUNK);
    checkPattern(1, 0, owner.bytes);
  });

  it('leaves the words that a command says meanwhile to their listener', async () => {
    await connect([]);
    const LINES = 2_000;
    const [pipe, socket] = await open();
    const process = await carrier.exec?.(
      { command: `i=0; while [ $i -lt ${LINES} ]; do i=$((i+1)); echo $i; echo $i >&2; done` },
      never,
    );
    assert.ok(process);
    const words: Uint8Array[] = [];
    process.onStderr((chunk) => words.push(chunk));
    const owner = own(process.io);
    await Promise.all([taken(pipe, 2), feed(socket, 2), owner.called('closed')]);
    const expected = Array.from({ length: LINES }, (_, i) => `${i + 1}\n`).join('');
    assert.equal(Buffer.concat(words).toString(), expected);
    assert.equal(owner.text, expected);
  });

  it('goes up as fast as it is taken, from memory that is written again', async () => {
    await connect([]);
    const [pipe, socket] = await open();
    const owner = own(pipe);
    socket.pause();
    const sending = pour(pipe, owner, 512 * CHUNK);
    const arriving = checked(socket, 1, 512 * CHUNK);
    const slowly = setInterval(() => {
      socket.pause();
      setImmediate(() => socket.resume());
    }, 5);
    await Promise.all([sending, arriving]).finally(() => clearInterval(slowly));
  });
});
