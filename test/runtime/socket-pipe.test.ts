import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { duplexPipe, pairPipe } from '../../src/runtime/socket-pipe.ts';
import { own } from '../support/recording-pipe.ts';
import { socketPair } from '../support/socket-pair.ts';

describe('a pipe over a socket', () => {
  const sockets: net.Socket[] = [];
  const pair = async (): Promise<[net.Socket, net.Socket]> => {
    const both = await socketPair();
    sockets.push(...both);
    return both;
  };

  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
  });

  it('carries bytes both ways and ends each direction by itself', async () => {
    const [a, b] = await pair();
    const [left, right] = [duplexPipe(a, 'left'), duplexPipe(b, 'right')];
    const [atLeft, atRight] = [own(left), own(right)];
    left.write(Buffer.from('question'));
    left.end();
    await atRight.called('end');
    assert.equal(atRight.text, 'question');
    right.write(Buffer.from('answer'));
    right.end();
    await Promise.all([atLeft.called('closed'), atRight.called('closed')]);
    assert.equal(atLeft.text, 'answer');
    assert.deepEqual([atLeft.error, atRight.error], [undefined, undefined]);
  });

  it('loses nothing that comes before it is started, not even its end', async () => {
    const [a, b] = await pair();
    const pipe = duplexPipe(b, 'early');
    a.end('already here');
    await once(a, 'finish');
    const owner = own(pipe);
    await owner.called('end');
    assert.equal(owner.text, 'already here');
  });

  it('tells an end that came before it is started without a byte', async () => {
    const [a, b] = await pair();
    const pipe = duplexPipe(b, 'early');
    const ended = once(b, 'end');
    a.end();
    await ended;
    const owner = own(pipe);
    assert.deepEqual(owner.calls, []);
    await owner.called('end');
    pipe.end();
    await owner.called('closed');
    assert.deepEqual([owner.calls, owner.error], [['end', 'closed'], undefined]);
  });

  it('tells a start that came too late what happened', async () => {
    const [a, b] = await pair();
    const pipe = duplexPipe(b, 'late');
    const gone = new Promise((resolve) => b.once('close', resolve));
    a.resetAndDestroy();
    await gone;
    const owner = own(pipe);
    assert.deepEqual(owner.calls, []);
    await owner.called('closed');
    assert.equal(owner.error?.code, 'PIPE_LOST');
  });

  it('delivers nothing while it is paused, and keeps the order', async () => {
    const [a, b] = await pair();
    const pipe = duplexPipe(b, 'paused');
    const payload = Buffer.alloc(2_000_000).map((_, at) => at % 251);
    a.write(payload);
    const owner = own(pipe);
    let resumed = 0;
    await owner.until(() => {
      if (owner.calls.at(-1) === 'bytes' && resumed < 20) {
        pipe.pause();
        const before = owner.chunks.length;
        resumed += 1;
        setImmediate(() => {
          assert.equal(owner.chunks.length, before);
          pipe.resume();
        });
      }
      return owner.bytes.length === payload.length;
    });
    assert.ok(owner.bytes.equals(payload));
    assert.ok(resumed > 3);
  });

  it('delivers nothing to an owner that paused before it started', async () => {
    const [a, b] = await pair();
    const pipe = duplexPipe(b, 'paused');
    pipe.pause();
    const owner = own(pipe);
    a.write('x');
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(owner.calls, []);
    pipe.resume();
    await owner.called('bytes');
  });

  it('says when its buffer is full, and when there is room again', async () => {
    const [a, b] = await pair();
    const pipe = duplexPipe(a, 'full');
    const owner = own(pipe);
    const chunk = Buffer.alloc(64 * 1024);
    let written = 0;
    while (pipe.write(chunk)) written += chunk.length;
    written += chunk.length;
    assert.ok(pipe.bufferedBytes >= 128 * 1024 && pipe.bufferedBytes <= written);
    const reader = own(duplexPipe(b, 'reader'));
    await owner.called('writable');
    assert.ok(pipe.bufferedBytes <= 64 * 1024);
    await reader.until(() => reader.bytes.length === written);
    assert.equal(owner.calls.filter((call) => call === 'writable').length, 1);
  });

  it('sends the writes of one turn as one', async () => {
    const [a, b] = await pair();
    const pipe = duplexPipe(a, 'batch');
    for (let at = 0; at < 50; at++) pipe.write(Buffer.from('tiny '));
    const reader = own(duplexPipe(b, 'reader'));
    await reader.until(() => reader.bytes.length === 250);
    assert.equal(reader.chunks.length, 1);
  });

  it('resets when it is closed with an error, and ends in order without', async () => {
    const [a, b] = await pair();
    const peer = own(duplexPipe(b, 'peer'));
    const pipe = duplexPipe(a, 'closed');
    const owner = own(pipe);
    pipe.close(new EpmuxError('TIMEOUT', 'too late'));
    pipe.close();
    assert.deepEqual(owner.calls, []);
    await Promise.all([owner.called('closed'), peer.called('closed')]);
    assert.equal(owner.error, undefined);
    assert.match(peer.error?.message ?? '', /peer broke: .*ECONNRESET/);

    const [c, d] = await pair();
    const quiet = own(duplexPipe(d, 'quiet'));
    duplexPipe(c, 'closed').close();
    await quiet.called('end');
    assert.deepEqual(quiet.calls, ['end']);
  });

  it('calls nobody after it closed', async () => {
    const [a, b] = await pair();
    const pipe = duplexPipe(b, 'closed');
    const owner = own(pipe);
    a.write('more');
    pipe.close();
    assert.equal(pipe.write(Buffer.from('lost')), true);
    await owner.called('closed');
    await once(a, 'close').catch(() => undefined);
    assert.deepEqual(owner.calls, ['closed']);
  });

  it('has one owner', async () => {
    const [a] = await pair();
    const pipe = duplexPipe(a, 'owned');
    own(pipe);
    assert.throws(() => own(pipe), { code: 'INTERNAL' });
  });

  it('closes with an error over a unix socket too, where there is no reset', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'epmux-pipe-'));
    const server = net.createServer().listen(path.join(folder, 's'));
    await once(server, 'listening');
    const client = net.connect(path.join(folder, 's'));
    sockets.push(client);
    const [accepted] = (await once(server, 'connection')) as [net.Socket];
    const owner = own(duplexPipe(accepted, 'unix'));
    const pipe = duplexPipe(client, 'client');
    const mine = own(pipe);
    pipe.close(new EpmuxError('TIMEOUT', 'too late'));
    await Promise.all([mine.called('closed'), owner.called('end')]);
    assert.equal(mine.error, undefined);
    accepted.destroy();
    server.close();
    rmSync(folder, { recursive: true });
  });
});

describe('a pipe over a pair of streams', () => {
  it('carries a process’s stdin and stdout, to the last byte', async () => {
    const child = spawn('cat', { stdio: ['pipe', 'pipe', 'ignore'] });
    const pipe = pairPipe(child.stdout, child.stdin, 'cat');
    const payload = Buffer.alloc(300_000).map((_, at) => at % 253);
    pipe.write(payload);
    pipe.end();
    const owner = own(pipe);
    await owner.called('closed');
    assert.ok(owner.bytes.equals(payload));
    assert.deepEqual([owner.calls.includes('end'), owner.error], [true, undefined]);
  });

  it('is lost when the process ends while it is written to', async () => {
    const child = spawn('true', { stdio: ['pipe', 'pipe', 'ignore'] });
    const pipe = pairPipe(child.stdout, child.stdin, 'true');
    const owner = own(pipe);
    await owner.called('closed');
    assert.equal(owner.error?.code, 'PIPE_LOST');
    assert.match(owner.error?.message ?? '', /connection to true broke/);
  });

  it('is lost when its input is destroyed', async () => {
    const [input, output] = [new PassThrough(), new PassThrough()];
    const owner = own(pairPipe(input, output, 'streams'));
    input.destroy();
    await owner.called('closed');
    assert.equal(owner.error?.code, 'PIPE_LOST');
    assert.ok(output.destroyed);
  });

  it('frees both when it is closed', async () => {
    const [input, output] = [new PassThrough(), new PassThrough()];
    const pipe = pairPipe(input, output, 'streams');
    const owner = own(pipe);
    pipe.close();
    await owner.called('closed');
    assert.deepEqual([input.destroyed, output.destroyed, owner.error], [true, true, undefined]);
  });
});
