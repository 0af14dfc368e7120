import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { EpmuxError, type ErrorCode } from '../../src/protocol/errors.ts';
import type { BytePipe } from '../../src/runtime/pipe.ts';
import type { Carrier, Transport } from '../../src/transport/transport.ts';
import { FarEnd } from '../support/far-end.ts';
import { checkPattern, pattern } from '../support/pattern.ts';
import { own, type PipeOwner } from '../support/recording-pipe.ts';

/** One way to the far end's port, ready for use. */
export interface Rig {
  readonly transport: Transport;
  /** How a pipe of this way calls its loss. */
  readonly lossCode: ErrorCode;
  /** Breaks what carries the open pipes, without a word of goodbye. */
  sever(far: Socket): void | Promise<void>;
  /** Resolves once nothing that connections needed is running any more. */
  allQuiet(): Promise<void>;
  stop(): void | Promise<void>;
}

const CHUNK = 64 * 1024;
/** More than all buffers on the way together may hold. */
const TOO_MUCH = 48 * 1024 * 1024;
const never = new AbortController().signal;

/** What every transport promises (src/transport/transport.ts, src/runtime/pipe.ts). */
export function describeTransport(name: string, setUp: (farPort: number) => Promise<Rig>): void {
  describe(`the contract of transports: ${name}`, () => {
    let far: FarEnd;
    let rig: Rig;
    let carrier: Carrier;

    const open = async (): Promise<[BytePipe, Socket]> => {
      const [pipe, socket] = await Promise.all([carrier.openAgentPipe(never), far.next()]);
      return [pipe, socket];
    };

    before(async () => {
      far = await FarEnd.start();
      rig = await setUp(far.port);
    });
    beforeEach(async () => {
      carrier = await rig.transport.connect(never);
    });
    afterEach(async () => {
      carrier.close();
      await far.deserted();
      await rig.allQuiet();
    });
    after(async () => {
      far.stop();
      await rig.stop();
    });

    it('carries 5 MB each way at once, byte for byte', async () => {
      const [pipe, socket] = await open();
      const total = 80 * CHUNK;
      const owner = own(pipe);
      const atFar = collect(socket);
      const sent = pour(pipe, owner, total);
      for (let at = 0; at < total; at += CHUNK) socket.write(pattern(2, at, CHUNK));
      await Promise.all([
        sent,
        owner.until(() => size(owner) >= total || owner.calls.includes('closed')),
        atFar.until(total),
      ]);
      check(1, atFar.chunks, total);
      check(2, owner.chunks, total);
    });

    it('ends one direction while the other goes on, beginning here', async () => {
      const [pipe, socket] = await open();
      const owner = own(pipe);
      const atFar = collect(socket);
      pipe.write(Buffer.from('question'));
      pipe.end();
      await once(socket, 'end');
      assert.equal(atFar.text, 'question');
      socket.end('answer');
      await owner.called('closed');
      assert.equal(owner.text, 'answer');
      assert.deepEqual(owner.calls.slice(-2), ['end', 'closed']);
      assert.equal(owner.error, undefined);
    });

    it('ends one direction while the other goes on, beginning there', async () => {
      const [pipe, socket] = await open();
      const owner = own(pipe);
      const atFar = collect(socket);
      socket.end('all I have');
      await owner.called('end');
      assert.equal(owner.text, 'all I have');
      await pour(pipe, owner, 10 * CHUNK);
      pipe.end();
      await Promise.all([owner.called('closed'), once(socket, 'end')]);
      check(1, atFar.chunks, 10 * CHUNK);
      assert.equal(owner.error, undefined);
    });

    it('keeps many small writes in order', async () => {
      const [pipe, socket] = await open();
      const owner = own(pipe);
      const atFar = collect(socket);
      let expected = '';
      for (let i = 0; i < 5_000; i += 1) {
        const text = `${i},`;
        expected += text;
        pipe.write(Buffer.from(text));
        if (i % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      await atFar.until(expected.length);
      assert.equal(atFar.text, expected);
      assert.deepEqual(owner.calls, []);
    });

    it('delivers what came before it was started', async () => {
      const [pipe, socket] = await open();
      socket.write('early');
      await echoOf(socket);
      const owner = own(pipe);
      await owner.until(() => size(owner) >= 5);
      assert.equal(owner.text, 'early');
    });

    it('stops the writer while the far end does not read, and goes on when it does', async () => {
      const [pipe, socket] = await open();
      const owner = own(pipe);
      let sent = 0;
      const sending = pour(pipe, owner, TOO_MUCH, () => {
        sent += CHUNK;
        assert.ok(pipe.bufferedBytes <= 512 * 1024, `${pipe.bufferedBytes} bytes are buffered`);
      });
      await standstill(() => sent);
      assert.ok(sent < TOO_MUCH, 'everything was taken though nobody reads');
      const atFar = collect(socket);
      await Promise.all([sending, atFar.until(TOO_MUCH)]);
      check(1, atFar.chunks, TOO_MUCH);
    });

    it('stops the far end while this one is paused, and loses nothing', async () => {
      const [pipe, socket] = await open();
      const owner = own(pipe);
      pipe.pause();
      let sent = 0;
      const sending = (async () => {
        while (sent < TOO_MUCH) {
          const more = socket.write(pattern(2, sent, CHUNK));
          sent += CHUNK;
          if (!more) await once(socket, 'drain');
        }
      })();
      await standstill(() => sent);
      assert.ok(sent < TOO_MUCH, 'everything was taken though nobody reads');
      assert.deepEqual(owner.calls, []);
      pipe.resume();
      await Promise.all([sending, owner.until(() => size(owner) >= TOO_MUCH)]);
      check(2, owner.chunks, TOO_MUCH);
    });

    it('is closed once and for all, at both ends', async () => {
      const [pipe, socket] = await open();
      const owner = own(pipe);
      socket.resume();
      pipe.close();
      pipe.close(new EpmuxError('INTERNAL', 'too late to matter'));
      pipe.write(Buffer.from('nobody'));
      pipe.end();
      await Promise.all([owner.called('closed'), gone(socket)]);
      socket.write('nobody');
      await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual(owner.calls, ['closed']);
      assert.equal(owner.error, undefined);
    });

    it('ends the far end also when it is closed with an error and much is buffered', async () => {
      const [pipe, socket] = await open();
      own(pipe);
      for (let i = 0; i < 64; i += 1) pipe.write(pattern(1, 0, CHUNK));
      pipe.close(new EpmuxError('PIPE_LOST', 'enough'));
      socket.resume();
      await gone(socket);
    });

    it('reports a loss exactly once', async () => {
      const [pipe, socket] = await open();
      const owner = own(pipe);
      socket.resume();
      socket.write('alive');
      await owner.called('bytes');
      await rig.sever(socket);
      await owner.called('closed');
      pipe.close();
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(owner.error?.code, rig.lossCode);
      assert.equal(owner.calls.filter((call) => call === 'closed').length, 1);
    });

    it('tells a late start of the loss', async () => {
      const [pipe, socket] = await open();
      socket.resume();
      await rig.sever(socket);
      await gone(socket);
      const owner = own(pipe);
      assert.deepEqual(owner.calls, []);
      await owner.called('closed');
      assert.equal(owner.error?.code, rig.lossCode);
    });

    it('opens several pipes, which know nothing of each other', async () => {
      const first = await open();
      const second = await open();
      const owners = [own(first[0]), own(second[0])] as const;
      first[1].write('one');
      second[1].write('two');
      await Promise.all(owners.map((owner) => owner.called('bytes')));
      first[0].close();
      await owners[0].called('closed');
      second[1].write('!');
      await owners[1].until(() => owners[1].text.endsWith('!'));
      assert.deepEqual([owners[0].text, owners[1].text], ['one', 'two!']);
    });

    it('ends all its pipes when the carrier is closed, and opens no more', async () => {
      const outcomes: unknown[] = [];
      carrier.onClosed((error) => outcomes.push(error));
      const [pipe, socket] = await open();
      const owner = own(pipe);
      socket.resume();
      carrier.close();
      carrier.close();
      await Promise.all([owner.called('closed'), gone(socket)]);
      assert.equal(owner.error?.code, 'PIPE_LOST');
      await assert.rejects(carrier.openAgentPipe(never), { code: 'PIPE_LOST' });
      const late = new Promise((resolve) => carrier.onClosed(resolve));
      assert.equal(await late, undefined);
      assert.deepEqual(outcomes, [undefined]);
    });

    it('gives up when told to, at any moment', async () => {
      const attempts = [0, 1, 2, 3, 5, 8, 13].map(async (turns) => {
        const abort = new AbortController();
        const attempt = rig.transport.connect(abort.signal).then(async (other) => {
          try {
            const pipe = await other.openAgentPipe(abort.signal);
            pipe.close();
          } finally {
            other.close();
          }
        });
        for (let turn = 0; turn < turns; turn += 1) {
          await new Promise((resolve) => setImmediate(resolve));
        }
        abort.abort();
        // Some are through before they are told.
        await attempt.catch((error: unknown) => {
          assert.ok(error instanceof EpmuxError);
          assert.equal(error.code, 'INTERRUPTED');
        });
      });
      await Promise.all(attempts);
    });

    it('keeps nothing of a pipe that was given up while it was opened', async () => {
      for (const turns of [0, 1, 2, 4, 8, 16]) {
        const abort = new AbortController();
        const opening = carrier.openAgentPipe(abort.signal);
        for (let turn = 0; turn < turns; turn += 1) {
          await new Promise((resolve) => setImmediate(resolve));
        }
        abort.abort();
        await opening.then(
          (pipe) => pipe.close(),
          (error: EpmuxError) => assert.equal(error.code, 'INTERRUPTED'),
        );
      }
      // The carrier lives: only what was opened through it may be gone. One more shows that the ones before are through.
      const [pipe] = await open();
      pipe.close();
      await far.deserted();
    });

    it('gives the reason of the abort as its own where that is an error of ours', async () => {
      const reason = new EpmuxError('TIMEOUT', 'it took too long');
      const signal = AbortSignal.abort(reason);
      await assert.rejects(
        rig.transport.connect(signal).then((other) => other.openAgentPipe(signal)),
        reason,
      );
    });
  });
}

/** Writes `total` bytes of pattern 1 as fast as the pipe takes them. */
async function pour(
  pipe: BytePipe,
  owner: PipeOwner,
  total: number,
  onWritten: () => void = () => {},
): Promise<void> {
  for (let at = 0; at < total; at += CHUNK) {
    const before = writables(owner);
    const more = pipe.write(pattern(1, at, CHUNK));
    onWritten();
    if (!more) {
      await owner.until(() => writables(owner) > before || owner.calls.includes('closed'));
    }
    assert.ok(!owner.calls.includes('closed'), `closed while sending: ${owner.error?.message}`);
  }
}

function writables(owner: PipeOwner): number {
  let count = 0;
  for (const call of owner.calls) if (call === 'writable') count += 1;
  return count;
}

function size(owner: PipeOwner): number {
  let sum = 0;
  for (const chunk of owner.chunks) sum += chunk.length;
  return sum;
}

interface Collected {
  readonly chunks: Buffer[];
  readonly text: string;
  until(bytes: number): Promise<void>;
}

function collect(socket: Socket): Collected {
  const chunks: Buffer[] = [];
  let sum = 0;
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    sum += chunk.length;
  });
  return {
    chunks,
    get text() {
      return Buffer.concat(chunks).toString();
    },
    until: async (bytes) => {
      while (sum < bytes) await once(socket, 'data');
    },
  };
}

function check(stream: number, chunks: readonly Uint8Array[], total: number): void {
  let at = 0;
  for (const chunk of chunks) {
    checkPattern(stream, at, chunk);
    at += chunk.length;
  }
  assert.equal(at, total);
}

/** Until the figure has not moved for a while. Too early on a slow machine, it only asks less. */
async function standstill(figure: () => number): Promise<void> {
  for (let still = 0, last = -1; still < 6; ) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    still = figure() === last ? still + 1 : 0;
    last = figure();
  }
}

/** The far end has seen an end or a loss. */
async function gone(socket: Socket): Promise<void> {
  if (socket.readableEnded || socket.closed) return;
  await new Promise<void>((resolve) => {
    socket.once('end', resolve);
    socket.once('close', () => resolve());
  });
}

/** What the far end wrote has been taken by its kernel. */
async function echoOf(socket: Socket): Promise<void> {
  while (socket.writableLength > 0) await once(socket, 'drain');
}
