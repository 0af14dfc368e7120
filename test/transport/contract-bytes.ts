import assert from 'node:assert/strict';
import { once } from 'node:events';
import { pattern } from '../support/pattern.ts';
import { own } from '../support/recording-pipe.ts';
import { standstill } from '../support/standstill.ts';
import { CHUNK, check, collect, echoOf, pour, type Stage, size } from './contract-support.ts';

/** More than all buffers on the way together may hold. */
const TOO_MUCH = 48 * 1024 * 1024;

/** Every byte arrives, in order, and no faster than it is taken. */
export function itCarriesBytes({ open }: Stage): void {
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
}
